/** The value ladder: what each freedom more earns, as bars and as a table. */

import { make } from "./elements.js";
import { showNumber } from "./numbers.js";
import { tableOf } from "./table.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const CAUSES = { energy: "Energy", reserve: "Reserve", wear: "Wear", drivers: "Drivers", owners: "Owners", grid: "Grid", penalties: "Penalties", other: "Other" };

/** @param {{ladder: Array, currency: string}} found Arrays of a comparison. */
export function ladderOf({ ladder, currency }) {
  const causes = Object.keys(CAUSES).filter((x) => ladder.some((rung) => Math.abs(rung[x]) > 0.005));
  const columns = [
    { name: "Freedom" }, { name: `Profit (${currency})`, digits: 2 }, { name: "Compared with" }, { name: "Change", digits: 2 },
    ...causes.map((x) => ({ name: CAUSES[x], digits: 2 })),
  ];
  const rows = ladder.map((x) => [x.rung, x.profit, x.against || "–", x.change, ...causes.map((cause) => x[cause])]);
  return make(
    "figure",
    { class: "chart" },
    make("figcaption", {}, "Value ladder", make("span", { class: "unit" }, ` profit, ${currency}`)),
    make("div", { class: "bars", "aria-hidden": "true" }, barsOf(ladder, currency)),
    tableOf(`Value ladder (${currency}): profit, and what the change consists of`, columns, rows),
  );
}

function barsOf(ladder, currency) {
  const profits = ladder.map((x) => x.profit);
  const low = Math.min(0, ...profits);
  const high = Math.max(0, ...profits);
  const place = (x) => ((x - low) / (high - low || 1)) * WIDTH;
  return ladder.map((x) =>
    make(
      "div",
      {},
      make("span", {}, x.rung),
      bar(Math.min(place(0), place(x.profit)), Math.abs(place(x.profit) - place(0)), place(0)),
      make("span", { class: "number" }, `${showNumber(x.profit, 2)} ${currency}`),
    ),
  );
}

function bar(from, width, zero) {
  const drawing = element("svg", { viewBox: `0 0 ${WIDTH} 24`, preserveAspectRatio: "none", class: "bar" });
  drawing.append(
    element("rect", { x: from, y: 3, width: Math.max(width, 1), height: 18, class: "amount" }),
    element("rect", { x: Math.min(zero, WIDTH - 2), y: 0, width: 2, height: 24, class: "zero" }),
  );
  return drawing;
}

function element(tag, attributes) {
  const found = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => found.setAttribute(name, value));
  return found;
}
