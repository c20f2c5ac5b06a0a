/** What a site draws more or less when the price of one step is another, and what that costs it. */

import { chartOf } from "./chart.js";
import { make } from "./elements.js";
import { digitsFor, showNumber } from "./numbers.js";
import { tableOf } from "./table.js";

/**
 * Charts of shifted power and of its cost, and the cost of a kilowatt-hour as a table.
 * @param {object} clock Times of the steps, and their zone.
 * @param {Array} others Values of one site.
 */
export function pricesOfShifts(clock, others) {
  const shifted = linesOf(clock, others, "shift");
  if (shifted.length === 0) return [];
  const costs = linesOf(clock, others, "shift_cost");
  const unit = others.find((x) => x.quantity === "shift_cost").unit;
  return [
    chartOf({ title: "Shifted when the price of that step changes (negative: drawn less)", unit: "kW", clock, lines: shifted }),
    chartOf({ title: "What that shift costs the site", unit, clock, lines: costs }),
    priceOfShifting(clock, shifted, costs, unit),
  ];
}

function linesOf(clock, others, quantity) {
  const found = others.filter((x) => x.quantity === quantity);
  const shares = [...new Set(found.map((x) => x.price))];
  return shares.map((share) => ({
    label: `price ${share > 0 ? "+" : ""}${showNumber(100 * share, 0)} %`,
    values: found.filter((x) => x.price === share).map((x) => x.value),
  }));
}

/** Cost of all shifts by the energy that they move. */
function priceOfShifting(clock, shifted, costs, unit) {
  const rows = shifted.map((line, i) => {
    const energy = total(line.values.map(Math.abs)) * clock.step_hours;
    const cost = total(costs[i].values);
    return [line.label, energy, cost, energy > 0 ? cost / energy : null];
  });
  const columns = [
    { name: "When" }, { name: "Energy shifted, one step at a time (kWh)", digits: digitsFor(rows.map((x) => x[1])) },
    { name: `Cost (${unit})`, digits: 2 }, { name: `${unit}/kWh`, digits: 4 },
  ];
  return make("div", { class: "box" }, make("h3", {}, "What shifting costs"), tableOf("Cost of a kWh that is shifted", columns, rows));
}

const total = (values) => values.reduce((sum, x) => sum + (x ?? 0), 0);
