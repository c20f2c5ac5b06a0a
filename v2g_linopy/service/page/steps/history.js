/** All jobs of this server: open, cancel, delete. */

import { get, send } from "../api.js";
import { busyWhile, button, fill, make } from "../elements.js";
import { cancel, filesOf, hasEnded, stateWord } from "../job.js";
import { showSeconds } from "../numbers.js";
import { attempt, problemPlace } from "../problems.js";
import { tableOf } from "../table.js";

export const LABEL = "History";
export const TITLE = "Jobs on this server";
export const SENTENCE = "What was begun, what runs, and what it has written.";
const PAGE = 20;
const MOST = 500;
const AGAIN = 3000;
const STEPS = { flexibility: "flexibility", vpp: "dispatch", solve: "dispatch", compare: "value" };
const KINDS = {
  flexibility: "Flexibility", vpp: "Dispatch of sites", solve: "Dispatch", compare: "Value ladder",
  simulate: "Operation through gates", menu: "Menu of contracts", batch: "Study",
};

/** Build the step; returns what shows it. */
export function start(place) {
  const problems = problemPlace();
  const list = make("div");
  let limit = PAGE;
  let timer = null;
  let drawn = "";
  const more = button("Show more", () => {
    limit = Math.min(MOST, 2 * limit);
    load();
  });
  fill(place, problems, list, more);

  async function load() {
    clearTimeout(timer);
    const jobs = await attempt(problems, () => get(`/v1/jobs?limit=${limit}`));
    if (!jobs) return;
    const told = JSON.stringify(jobs.map((x) => [x.id, x.state]));
    if (told !== drawn) draw(jobs);
    drawn = told;
    more.hidden = jobs.length < limit;
    const isSeen = place.checkVisibility();
    if (isSeen && jobs.some((x) => !hasEnded(x))) timer = setTimeout(load, AGAIN);
  }

  function draw(jobs) {
    if (jobs.length === 0) {
      fill(list, make("p", {}, "No job yet."));
      return;
    }
    const columns = ["Job", "Of", "Begun", "State", "Took", "Files", ""].map((name) => ({ name }));
    fill(list, tableOf("Jobs, the latest first", columns, jobs.map(rowOf)));
  }

  function rowOf(job) {
    const step = STEPS[job.kind];
    const kind = KINDS[job.kind] ?? job.kind;
    const begun = new Date(job.created * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
    const took = job.started && job.ended ? showSeconds(job.ended - job.started) : "–";
    const files = job.results.length ? make("details", {}, make("summary", {}, "Files"), filesOf(job)) : "–";
    return [
      step ? make("a", { href: `#${step}/${job.id}` }, kind) : kind,
      job.name, begun, make("span", { class: `state-${job.state}` }, stateWord(job.state)), took, files, action(job, kind),
    ];
  }

  function action(job, kind) {
    const isOver = hasEnded(job);
    const press = button(isOver ? "Delete" : "Cancel", () => {}, "warn");
    press.setAttribute("aria-label", `${isOver ? "Delete" : "Cancel"} ${kind} ${job.name}`);
    press.addEventListener("click", busyWhile(press, async () => {
      const isDone = await attempt(problems, () => (isOver ? send("DELETE", `/v1/jobs/${job.id}`) : cancel(job.id)));
      if (isDone) await load();
    }));
    return press;
  }
  return load;
}
