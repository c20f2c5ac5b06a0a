/** What steps share that begin a job about the chosen case and show its result. */

import { get } from "./api.js";
import { chooseCaseOf, theCase, whenChosen } from "./chosen.js";
import { busyWhile, fill, make } from "./elements.js";
import { begin, watch } from "./job.js";
import { attempt, problemPlace } from "./problems.js";
import { lineOf } from "./summary.js";

/**
 * A form that begins a job, how far it is, and its result.
 * @param {object} step
 * @param {Array} step.fields What is asked.
 * @param {string} step.label Of the button.
 * @param {function(object): Promise<object>} step.request The job, of the chosen case; may refuse.
 * @param {function(object, Element): Promise} step.show Puts a result into a place.
 * @param {string} step.name Word of the step in the address.
 * @param {boolean} [step.needsCase] Whether a case has to be chosen first.
 * @returns {{element: Element, open: function(string=): void}}
 */
export function jobStep({ fields, label, request, show, name, needsCase = true }) {
  const about = make("div");
  const go = make("button", { class: "main" }, label);
  const form = make("form", { class: "box" }, fields, make("p", { class: "buttons" }, go));
  const problems = problemPlace();
  const progress = make("div", { class: "job" });
  const result = make("div", { class: "result" });
  let shown = null;
  let looking = new AbortController();

  const look = async (job) => {
    looking.abort();
    looking = new AbortController();
    const { signal } = looking;
    shown = job.id;
    fill(result);
    await attempt(problems, async () => {
      const done = await watch(progress, job, signal);
      if (done && !signal.aborted) await show(done, result);
    });
  };
  const press = busyWhile(go, async () => {
    const job = await attempt(problems, async () => begin(await request(theCase())));
    if (!job) return;
    shown = job.id;
    window.history.replaceState(null, "", `#${name}/${job.id}`);
    look(job);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    press(event);
  });
  if (needsCase) {
    whenChosen((found) => {
      form.hidden = !found;
      fill(about, found ? lineOf(found) : make("p", {}, make("a", { href: "#choose" }, "Choose sites"), " first."));
    });
  }
  return {
    element: make("div", {}, about, form, problems, progress, result),
    async open(identity) {
      if (!identity && shown) window.history.replaceState(null, "", `#${name}/${shown}`);
      if (!identity || identity === shown) return;
      const job = await attempt(problems, () => get(`/v1/jobs/${identity}`));
      if (!job) return;
      await chooseCaseOf(job);
      look(job);
    },
  };
}
