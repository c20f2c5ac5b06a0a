/**
 * Server-sent events of a job. Read from a request, as an `EventSource` cannot show a token.
 */

import { request } from "./api.js";

const PAUSE = 1000;

/**
 * Follow a job until it has ended, across broken connections.
 * @param {string} identity
 * @param {Object<string, function(string): void>} take By the name of an event, what takes its data.
 * @param {AbortSignal} signal Ends it earlier.
 */
export async function follow(identity, take, signal) {
  let last = "";
  let hasEnded = false;
  const heard = ({ id, event, data }) => {
    if (id) last = id;
    hasEnded ||= event === "end";
    take[event]?.(data);
  };
  while (!hasEnded && !signal.aborted) {
    try {
      await listen(`/v1/jobs/${identity}/events`, last, heard, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status !== 429) throw error;
      take.lost?.("");
    }
    if (!hasEnded) await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function listen(path, last, heard, signal) {
  const headers = last ? { "last-event-id": last } : {};
  const answer = await request(path, { headers, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    blocks.map(eventOf).filter((x) => x.event).forEach(heard);
  }
}

/** An event of its lines; lines that begin with a colon say nothing. */
function eventOf(block) {
  const found = { id: "", event: "", data: [] };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    const name = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, "");
    if (name === "data") found.data.push(value);
    else if (name === "id" || name === "event") found[name] = value;
  }
  return { ...found, data: found.data.join("\n") };
}
