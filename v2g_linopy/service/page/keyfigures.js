/** The few numbers that say what a plan is worth. */

import { make } from "./elements.js";
import { showNumber } from "./numbers.js";

/**
 * @param {object} figures `kpi.json` of a job.
 * @param {object|null} shares `sites.json`, where there are sites.
 */
export function keyFigures(figures, shares = null) {
  const { currency, power, audit, rounds } = figures;
  const told = [
    ["Profit", `${showNumber(figures.profit, 2)} ${currency}`, "in the whole time"],
    ["Most drawn", `${showNumber(power.peak_import_kW, 1)} kW`, `without flexibility ${showNumber(power.peak_without_flexibility_kW, 1)} kW`],
    ["Most fed in", `${showNumber(power.peak_export_kW, 1)} kW`, "all sites together"],
    shares?.sites.length ? ["Undeliverable", `${showNumber(shares.undeliverable_kwh, shares.undeliverable_kwh > 0 ? 3 : 0)} kWh`, `of ${shares.sites.length} sites`] : null,
    rounds?.rounds ? ["Rounds", showNumber(rounds.rounds, 0), "of prices and plans"] : null,
    ["Proof", audit.passed ? "passed" : "failed", "every limit and every cash entry, computed again"],
  ].filter(Boolean);
  return make(
    "dl",
    { class: "figures" },
    told.map(([name, value, more]) => make("div", {}, make("dt", {}, name), make("dd", {}, make("strong", {}, value), make("small", {}, more)))),
  );
}
