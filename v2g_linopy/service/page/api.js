/** Requests to the service: the token, uploads, downloads, and what is wrong as an error. */

import { askForToken } from "./token.js";

/** What the service says is wrong, with all its problems. */
export class Refusal extends Error {
  /** @param {{status?: number, title?: string, detail?: string, problems?: Array}} document */
  constructor(document) {
    super(document.detail || document.title || "the service did not say why");
    this.status = document.status ?? 0;
    this.problems = document.problems ?? [];
  }
}

let token = sessionStorage.getItem("v2g.token");

/** Whether this browser shows a token. */
export const hasToken = () => token !== null;

/**
 * Ask the service; the answer as it came.
 * @throws {Refusal} where it refuses, and where it cannot be reached.
 */
export async function request(path, options = {}) {
  for (;;) {
    const headers = { ...options.headers };
    if (token !== null) headers.authorization = `Bearer ${token}`;
    const answer = await reach(path, { ...options, headers });
    if (answer.ok) return answer;
    if (answer.status !== 401) throw new Refusal(await documentOf(answer));
    token = await askForToken(token !== null);
    sessionStorage.setItem("v2g.token", token);
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ detail: "the service cannot be reached; is it running?" });
  }
}

async function documentOf(answer) {
  const fallback = { status: answer.status, title: answer.statusText };
  try {
    return { ...fallback, ...(await answer.json()) };
  } catch {
    return fallback;
  }
}

/** A document of the service. */
export async function get(path) {
  return (await request(path)).json();
}

/** Send a document; its answer, or true where there is none. */
export async function send(method, path, body, headers = {}) {
  const options = { method, headers: { ...headers } };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  const answer = await request(path, options);
  return answer.status === 204 ? true : answer.json();
}

/** Upload a file, if it is not too large for this server; its identity. */
export async function upload(file) {
  const { upload_bytes: most } = await get("/v1");
  if (file.size > most) {
    const [size, limit] = [file.size, most].map((x) => (x / 1e6).toFixed(0));
    throw new Refusal({ detail: `${file.name} has ${size} MB; this server takes ${limit} MB` });
  }
  const name = encodeURIComponent(file.name);
  const answer = await request(`/v1/uploads?name=${name}`, { method: "POST", body: file });
  return (await answer.json()).id;
}

/** Save a file of the service on this computer. A link cannot show a token, so this asks for it. */
export async function download(path, name) {
  const address = URL.createObjectURL(await (await request(path)).blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
