/** Step 3: the plan of the whole: positions, each site's share, what it is worth, what is missing. */

import { chartOf } from "../chart.js";
import { fill, make, tick } from "../elements.js";
import { documentOf, filesOf } from "../job.js";
import { jobStep } from "../jobstep.js";
import { keyFigures } from "../keyfigures.js";
import { digitsFor, showNumber } from "../numbers.js";
import { tableOf } from "../table.js";

export const LABEL = "3 Dispatch";
export const TITLE = "Dispatch of the whole";
export const SENTENCE = "The best plan of all sites together: what to trade, what each site does, what its share is worth, and what could not be delivered.";
const EXCEL = { csv_separator: ";", csv_decimal: "," };
const CHARTS = {
  positions: "Position by market (positive: sold)",
  prices: "Price",
  reserves: "Reserves sold",
  sites: "Power of each site (positive: drawn from the grid)",
  vehicles: "Power of all vehicles",
};

/** Build the step; returns what shows it. */
export function start(place) {
  const report = tick("Write a report", true);
  const alone = tick("Find what each site would earn alone", true);
  const excel = tick("Tables for a continental Excel (semicolon, decimal comma)");
  const step = jobStep({
    name: "dispatch",
    label: "Find the best plan",
    fields: [make("div", { class: "ticks" }, report.element, alone.element, excel.element)],
    request: async (found) => {
      const isPortfolio = found.summary.pods.length > 1;
      return {
        kind: isPortfolio ? "vpp" : "solve",
        case: found.id,
        name: found.summary.title || found.name,
        options: {
          report: report.input.checked,
          ...(isPortfolio ? { alone: alone.input.checked, bands: false } : {}),
          ...(excel.input.checked ? EXCEL : {}),
        },
      };
    },
    show: async (job, result) => {
      const has = (name) => job.results.some((x) => x.name === name);
      const [arrays, figures, shares] = await Promise.all(
        ["arrays.json", "kpi.json", "sites.json"].map((x) => (has(x) ? documentOf(job, x) : null)),
      );
      fill(result, keyFigures(figures, shares), filesOf(job), shares?.sites.length ? sharesOf(shares) : null, chartsOf(arrays));
    },
  });
  fill(place, step.element);
  return step.open;
}

function chartsOf(arrays) {
  return Object.entries(CHARTS)
    .filter(([name]) => arrays.charts[name])
    .map(([name, title]) => chartOf({ title, unit: arrays.charts[name].unit, clock: arrays, lines: arrays.charts[name].lines }));
}

/** What is asked of each site, and what that is worth. */
function sharesOf(shares) {
  const { sites, currency } = shares;
  const money = (name, key) => ({ key, name: `${name} (${currency})` });
  const energy = (name, key) => ({ key, name: `${name} (kWh)` });
  const wanted = [
    energy("Drawn", "drawn"), energy("Fed in", "fed"), money("Value", "value"), money("of it paid by the portfolio", "paid"),
    money("Alone", "alone"), money("With an equal share of the gain", "equal_share"), energy("Undeliverable", "undeliverable_kwh"),
  ];
  const columns = wanted
    .filter(({ key }) => sites.some((x) => x[key] !== null && x[key] !== undefined))
    .map((x) => ({ ...x, digits: Math.min(2, digitsFor(sites.map((site) => site[x.key]))) }));
  const rows = sites.map((site) => [site.pod, ...columns.map(({ key }) => site[key])]);
  const missing = shares.undeliverable_kwh;
  return [
    make("h2", {}, "Each site's share"),
    tableOf("What each site does, and what that is worth", [{ name: "Site" }, ...columns], rows),
    make("p", { class: "more" }, missing > 0 ? `${showNumber(missing, 3)} kWh of what was asked could not be delivered.` : "Every site can deliver what is asked of it: undeliverable 0."),
  ];
}
