/** The page: its steps, and which of them is shown. The address says it: `#dispatch/JOB`. */

import { get } from "./api.js";
import { chooseAgain } from "./chosen.js";
import { fill, make } from "./elements.js";
import { problemPlace, tell } from "./problems.js";
import * as choose from "./steps/choose.js";
import * as dispatch from "./steps/dispatch.js";
import * as flexibility from "./steps/flexibility.js";
import * as history from "./steps/history.js";
import * as value from "./steps/value.js";

const STEPS = { choose, flexibility, dispatch, value, history };
const main = document.getElementById("main");
const troubles = problemPlace();
const shown = {};

function build() {
  const links = Object.entries(STEPS).map(([name, step]) => {
    const heading = make("h1", { id: `${name}-heading`, tabindex: "-1" }, step.TITLE);
    const place = make("div");
    const section = make("section", { id: `${name}-step`, "aria-labelledby": heading.id, hidden: true }, heading, make("p", { class: "lead" }, step.SENTENCE), place);
    main.append(section);
    shown[name] = { section, heading, show: step.start(place) };
    return make("li", {}, make("a", { href: `#${name}`, id: `to-${name}` }, step.LABEL));
  });
  fill(document.getElementById("steps"), make("ol", {}, links));
}

function go(byUser) {
  const [word, job] = window.location.hash.slice(1).split("/");
  const name = word in STEPS ? word : "choose";
  for (const [other, { section, heading }] of Object.entries(shown)) {
    const isHere = other === name;
    section.hidden = !isHere;
    const link = document.getElementById(`to-${other}`);
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isHere && byUser) heading.focus();
  }
  document.title = `${STEPS[name].TITLE} · v2g-linopy`;
  shown[name].show(job);
}

async function start() {
  build();
  main.prepend(troubles);
  window.addEventListener("hashchange", () => go(true));
  try {
    const { version } = await get("/v1");
    document.getElementById("version").textContent = version;
    await chooseAgain();
  } catch (error) {
    tell(troubles, error);
  }
  go(false);
}

start();
