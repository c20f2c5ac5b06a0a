/** Step 2: what each site can do: bands of power and energy, power held for hours, cost of shifting. */

import { Refusal } from "../api.js";
import { chartOf } from "../chart.js";
import { field, fill, make, tick } from "../elements.js";
import { documentOf, filesOf } from "../job.js";
import { jobStep } from "../jobstep.js";
import { readNumbers } from "../numbers.js";
import { pricesOfShifts } from "../shifts.js";

export const LABEL = "2 Flexibility";
export const TITLE = "Flexibility of each site";
export const SENTENCE = "Between which powers and energies can each site be at every moment, how much can it hold for hours, and what does shifting cost?";
const EDGES = { max: "most", min: "least" };
const SUM = "portfolio";

/** Build the step; returns what shows it. */
export function start(place) {
  const hours = make("input", { type: "text", inputmode: "decimal", value: "1; 4", class: "short" });
  const shifts = make("input", { type: "text", inputmode: "decimal", value: "50", class: "short" });
  const proof = tick("Prove each value (takes longer; without it some values are outer bounds)");
  const step = jobStep({
    name: "flexibility",
    label: "Find the flexibility",
    fields: [
      field("Held for hours", hours, "With a semicolon between them: 0,5; 1; 4. Empty: not asked."),
      field("Price of one step higher by, %", shifts, "What a site shifts then, and what that costs it: 50; -50. Empty: not asked."),
      make("div", { class: "field" }, proof.element),
    ],
    request: async (found) => ({
      kind: "flexibility",
      case: found.id,
      name: found.summary.title || found.name,
      options: {
        hours: listOf("Held for hours", hours.value),
        shift: listOf("Price of one step", shifts.value).map((x) => x / 100),
        ...(proof.input.checked ? {} : { nodes: 0 }),
      },
    }),
    show: async (job, result) => fill(result, filesOf(job), resultOf(await documentOf(job, "arrays.json"))),
  });
  fill(place, step.element);
  return step.open;
}

function listOf(label, text) {
  const found = readNumbers(text);
  if (found.some(Number.isNaN)) throw new Refusal({ detail: `${label}: “${text}” is no list of numbers; write 0,5; 4` });
  return found;
}

function resultOf(found) {
  const names = found.bands.map((x) => x.pod);
  const select = make("select", {}, names.map((x) => make("option", { value: x }, x === SUM ? "all sites together" : x)));
  const place = make("div");
  const show = () => fill(place, ofSite(found, select.value));
  select.addEventListener("change", show);
  show();
  return [field("Site", select), place];
}

function ofSite(found, pod) {
  const band = found.bands.find((x) => x.pod === pod);
  const others = found.others.filter((x) => x.pod === pod);
  const bound = band.verified ? null : "Some of these values are outer bounds: a site can do no more, and perhaps less.";
  const meaning = pod === SUM ? `${found.sum_meaning}.` : `${found.meaning}.`;
  return [
    make("p", { class: "more" }, meaning.charAt(0).toUpperCase() + meaning.slice(1), " ", bound),
    bandChart("Power that it can draw (negative: feed in)", found, band.power, "kW", false),
    band.energy ? bandChart("Energy drawn since the begin", found, band.energy, "kWh", true) : null,
    heldChart(found, others),
    ...pricesOfShifts(found, others),
  ];
}

function bandChart(title, clock, band, unit, atEnds) {
  const lines = Object.entries(EDGES).map(([edge, label]) => ({ label, values: band[edge] }));
  return chartOf({ title, unit, clock, lines, isBand: true, atEnds });
}

/** Power held from each moment on, a line for each direction and number of hours. */
function heldChart(found, others) {
  const held = others.filter((x) => x.quantity === "product");
  if (held.length === 0) return null;
  const lines = new Map();
  for (const x of held) {
    const label = `${x.direction === "up" ? "more fed in" : "more drawn"}, ${x.hours} h`;
    if (!lines.has(label)) lines.set(label, { label, values: found.time.map(() => null) });
    lines.get(label).values[indexOf(found, x.start)] = x.value;
  }
  return chartOf({ title: "Power that can be held for hours, from each moment on", unit: "kW", clock: found, lines: [...lines.values()] });
}

/** Which step begins at a time that is told with its distance from UTC. */
export function indexOf(clock, text) {
  const seconds = Date.parse(text) / 1000;
  return Math.round((seconds - clock.time[0]) / (clock.step_hours * 3600));
}
