/** What the chosen case is about, and where to go with it. */

import { whenChosen } from "./chosen.js";
import { clockOf } from "./clock.js";
import { fill, make } from "./elements.js";
import { showNumber } from "./numbers.js";

const PARTS = {
  fleet: ["vehicle or fleet", "vehicles or fleets"], battery: ["battery", "batteries"], load: ["load", "loads"],
  renewable: ["solar or wind plant", "solar or wind plants"], chp: ["heat and power plant", "heat and power plants"],
  hydrogen: ["hydrogen plant", "hydrogen plants"], charger: ["charger", "chargers"],
  energy: ["energy market", "energy markets"], reserve: ["reserve product", "reserve products"],
  ppa: ["power purchase agreement", "power purchase agreements"],
};

/** A panel that follows the chosen case. */
export function summaryOf() {
  const place = make("div");
  whenChosen((found) => fill(place, found ? panel(found) : null));
  return place;
}

/** One line: what the case is called, from when to when. */
export function lineOf(found) {
  const { title, zone, start, end } = found.summary;
  const clock = clockOf(zone);
  const span = start === undefined ? null : `, ${clock.dateOf(start)} to ${clock.momentOf(end)}, ${zone}`;
  return make("p", { class: "case" }, make("strong", {}, title || found.name), span);
}

function panel(found) {
  const { summary } = found;
  const hours = summary.steps * summary.step_hours;
  const groups = Object.entries(summary.groups).filter(([name]) => name in PARTS);
  const members = groups.map(([name, sizes]) => {
    const size = Object.values(sizes)[0] ?? 1;
    return `${size} ${PARTS[name][size === 1 ? 0 : 1]}`;
  });
  const folded = (title, lines) =>
    lines.length ? make("details", {}, make("summary", {}, title), make("ul", {}, lines.map((x) => make("li", {}, x)))) : null;
  return make(
    "section",
    { class: "box chosen", "aria-label": "The chosen case" },
    make("h2", {}, "The chosen case"),
    lineOf(found),
    make(
      "dl",
      {},
      pair("Length", `${showNumber(hours, hours % 1 ? 2 : 0)} hours, ${summary.steps} steps`),
      pair("Sites", summary.pods.length ? summary.pods.join(", ") : "one"),
      pair("Holds", members.join(", ")),
    ),
    folded("Warnings", summary.warnings),
    folded("Assumptions", summary.assumptions),
    make(
      "p",
      { class: "buttons" },
      make("a", { class: "button main", href: "#flexibility" }, "Flexibility of each site"),
      make("a", { class: "button", href: "#dispatch" }, "Dispatch of the whole"),
    ),
  );
}

const pair = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
