/** A job: begun, followed, cancelled, and what it has written. */

import { download, get, hasToken, send } from "./api.js";
import { busyWhile, button, fill, make } from "./elements.js";
import { follow } from "./events.js";
import { showBytes, showSeconds } from "./numbers.js";
import { attempt, problemPlace, tell } from "./problems.js";

const ENDED = new Set(["done", "failed", "cancelled"]);
const MOST_LOG = 20_000;
const WORDS = {
  queued: "Waits for its turn", running: "Runs", done: "Done", failed: "Failed", cancelled: "Cancelled",
};

/** Whether nothing of a job runs any more. */
export const hasEnded = (job) => ENDED.has(job.state);

/** A state in a word that people read. */
export const stateWord = (state) => WORDS[state] ?? state;

/** Begin a job. The key makes sure that a request that is sent twice is one job. */
export async function begin(job) {
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((x) => x.toString(16).padStart(2, "0")).join("");
  const again = () => send("POST", "/v1/jobs", job, { "idempotency-key": key });
  try {
    return await again();
  } catch (error) {
    if (error.status) throw error;
    return again();
  }
}

/** Cancel a job; one that has just ended is left as it is. True once nothing of it runs. */
export async function cancel(identity) {
  try {
    await send("POST", `/v1/jobs/${identity}/cancel`);
  } catch (error) {
    if (error.status !== 409) throw error;
  }
  return true;
}

/**
 * Show how far a job is, with a button that cancels it.
 * @param {Element} place
 * @param {object} job
 * @param {AbortSignal} signal Ends the look, not the job.
 * @returns {Promise<object|null>} The job, once it is done; null where it has no result.
 */
export async function watch(place, job, signal) {
  const words = make("p", { class: "words" });
  const bar = make("progress", { "aria-label": "How far the job is" });
  const log = make("pre", { tabindex: "0" });
  const problems = problemPlace();
  const stop = button("Cancel", () => {}, "warn");
  const state = make("p", { class: "state", role: "status" });
  stop.addEventListener("click", busyWhile(stop, () => attempt(problems, () => cancel(job.id))));
  const running = make("div", { class: "running" }, bar, words, stop);
  fill(place, state, running, problems, make("details", {}, make("summary", {}, "Log"), log));

  const show = (now) => {
    fill(state, make("strong", {}, stateWord(now.state)), now.started && now.ended ? ` in ${showSeconds(now.ended - now.started)}` : "");
    running.hidden = hasEnded(now);
    if (now.error) tell(problems, now.error);
  };
  show(job);
  await follow(
    job.id,
    {
      state: (text) => show(JSON.parse(text)),
      progress: (text) => showProgress(JSON.parse(text), words, bar),
      log: (text) => {
        log.textContent = `${log.textContent}${text}\n`.slice(-MOST_LOG);
      },
      lost: () => fill(words, "The service cannot be reached; it is tried again."),
    },
    signal,
  );
  if (signal.aborted) return null;
  const last = await get(`/v1/jobs/${job.id}`);
  show(last);
  return last.state === "done" ? last : null;
}

function showProgress(progress, words, bar) {
  fill(words, progress.words);
  if (progress.of) {
    bar.max = progress.of;
    bar.value = progress.done;
  } else {
    bar.removeAttribute("value");
  }
}

/** A document that a job has written. */
export const documentOf = (job, name) => get(`/v1/jobs/${job.id}/results/${name}`);

const SENTENCES = {
  "report.html": "Report",
  "result.nc": "Result (NetCDF)",
  "schedule.csv": "Schedule",
  "bids.csv": "Bids",
  "bill.csv": "Bill",
  "flexibility.csv": "All values",
  "kpi.json": "Key figures",
};

/** Links to the files that a job has written; the report opens in a tab of its own. */
export function filesOf(job) {
  const order = Object.keys(SENTENCES);
  const files = job.results.filter((x) => x.name in SENTENCES);
  files.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return make("ul", { class: "files" }, files.map((x) => make("li", {}, linkTo(x))));
}

function linkTo(file) {
  const isPage = file.name.endsWith(".html") && !hasToken();
  const link = make("a", { href: file.href, ...(isPage ? { target: "_blank" } : { download: file.name }) });
  fill(link, SENTENCES[file.name], " ", make("small", {}, `${file.name}, ${showBytes(file.size)}`));
  if (hasToken()) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      download(file.href, file.name);
    });
  }
  return link;
}
