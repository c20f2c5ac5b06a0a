/** Step 4: charging sessions and prices in, the value ladder and the report out. */

import { Refusal, send, upload } from "../api.js";
import { choose } from "../chosen.js";
import { field, fill, make, tick } from "../elements.js";
import { documentOf, filesOf } from "../job.js";
import { jobStep } from "../jobstep.js";
import { keyFigures } from "../keyfigures.js";
import { ladderOf } from "../ladder.js";
import { readNumber } from "../numbers.js";

export const LABEL = "4 Value of sessions";
export const TITLE = "What charging sessions are worth";
export const SENTENCE = "Upload charging sessions and prices. The value ladder says what smart charging, V2G and reserves would each have earned.";
const FILES = ".csv,.txt,.json,.xlsx,.xml,.nc,.1";

/** Build the step; returns what shows it. */
export function start(place) {
  const sessions = make("input", { type: "file", accept: FILES, required: true });
  const prices = make("input", { type: "file", accept: FILES, required: true, multiple: true });
  const zones = make("datalist", { id: "zones" }, Intl.supportedValuesOf("timeZone").map((x) => make("option", { value: x })));
  const zone = make("input", { type: "text", list: "zones", autocomplete: "off", placeholder: "Europe/Berlin" });
  const defaults = tick("Assume what the data lack (the assumptions are listed)", true);
  const wear = make("input", { type: "text", inputmode: "decimal", class: "short" });
  const columns = linesFor("arrival=From\ndeparture=To\nenergy=kWh");
  const priceColumns = linesFor("time=Date\nprice=Price");
  const step = jobStep({
    name: "value",
    label: "Find the value",
    needsCase: false,
    fields: [
      make("div", { class: "columns" },
        field("Charging sessions", sessions, "A table (CSV, Excel) with a row for each session, or a record that is known: ACN, OCPI, OCPP."),
        field("Prices", prices, "A table with time and price, or a file of an exchange or platform.")),
      make("div", { class: "columns" },
        field("Time zone of the sessions", zone, "Where the file does not say it."),
        field("Battery wear, EUR/kWh discharged", wear, "0,05 or 0.05; empty: that of the assumptions.")),
      make("details", {}, make("summary", {}, "Columns of tables of your own"),
        make("div", { class: "columns" },
          field("Columns of the sessions", columns, "Which column holds what (--column): NAME=HEADER, one a line."),
          field("Columns of the prices", priceColumns, "The same for the prices (--price-column). A header may say the unit: price ct/kWh."))),
      make("div", { class: "field" }, defaults.element),
    ],
    request: async () => {
      const source = { source: "sessions", name: sessions.files[0].name.replace(/\.[^.]+$/, ""), options: optionsOf() };
      source.file = await upload(sessions.files[0]);
      source.prices = [];
      for (const file of prices.files) source.prices.push(await upload(file));
      const made = await send("POST", "/v1/cases", source);
      choose(made);
      return { kind: "compare", case: made.id, name: made.summary.title || made.name };
    },
    show: async (job, result) => {
      const [arrays, figures] = await Promise.all(["arrays.json", "kpi.json"].map((x) => documentOf(job, x)));
      fill(result, filesOf(job), ladderOf(arrays), make("h2", {}, "The best plan"), keyFigures(figures));
    },
  });
  fill(place, zones, step.element);
  return step.open;

  function optionsOf() {
    const options = defaults.input.checked ? { assume: ["defaults"] } : {};
    if (zone.value.trim()) options.timezone = zone.value.trim();
    if (columns.value.trim()) options.column = linesIn(columns);
    if (priceColumns.value.trim()) options.price_column = linesIn(priceColumns);
    if (wear.value.trim()) {
      options.wear = readNumber(wear.value);
      if (Number.isNaN(options.wear)) throw new Refusal({ detail: `Battery wear: “${wear.value}” is no number; write 0,05` });
    }
    return options;
  }
}

const linesFor = (example) => make("textarea", { rows: "4", spellcheck: "false", placeholder: example });

const linesIn = (area) => area.value.split("\n").map((x) => x.trim()).filter(Boolean);
