/** The cases that this service knows. */

import { download, get, send } from "./api.js";
import { choose, theCase, whenChosen } from "./chosen.js";
import { busyWhile, button, fill, make } from "./elements.js";
import { attempt, problemPlace } from "./problems.js";

const FEW = 6;

/** A list of cases: use, save on this computer, delete. */
export function casesOf() {
  const list = make("ul", { class: "list" });
  const problems = problemPlace();
  const more = button("Show all", () => {});
  let cases = [];
  let most = FEW;

  const load = async () => {
    cases = (await attempt(problems, () => get("/v1/cases"))) ?? cases;
    show();
  };
  const show = () => {
    const here = theCase()?.id;
    fill(list, cases.slice(0, most).map((x) => make("li", { class: x.id === here ? "here" : null }, nameOf(x), useButton(x, here), keepButton(x), deleteButton(x))));
    if (cases.length === 0) fill(list, make("li", {}, "None yet."));
    more.hidden = cases.length <= most;
  };
  const nameOf = (x) =>
    make("span", {}, x.summary.title || x.name, " ", make("small", {}, new Date(x.added * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })));
  const useButton = (x, here) => {
    const press = button(x.id === here ? "In use" : "Use", () => choose(x));
    press.setAttribute("aria-label", `Use ${x.summary.title || x.name}`);
    press.disabled = x.id === here;
    return press;
  };
  const keepButton = (x) => {
    const press = button("Download", () => {});
    press.setAttribute("aria-label", `Download ${x.name}`);
    press.addEventListener("click", busyWhile(press, () => attempt(problems, () => download(`/v1/cases/${x.id}/file`, `${x.name}.nc`))));
    return press;
  };
  const deleteButton = (x) => {
    const press = button("Delete", () => {}, "warn");
    press.setAttribute("aria-label", `Delete ${x.summary.title || x.name}`);
    press.addEventListener("click", busyWhile(press, async () => {
      const isGone = await attempt(problems, () => send("DELETE", `/v1/cases/${x.id}`));
      if (!isGone) return;
      if (theCase()?.id === x.id) choose(null);
      await load();
    }));
    return press;
  };
  more.addEventListener("click", () => {
    most = Infinity;
    show();
  });
  whenChosen(show);
  return { element: make("div", { class: "box" }, make("h2", {}, "Cases on this server"), list, more, problems), load };
}
