/** Step 1: choose sites, by a template or a file; save and load what was chosen. */

import { get, send, upload } from "../api.js";
import { casesOf } from "../cases.js";
import { choose } from "../chosen.js";
import { configurationsOf } from "../configurations.js";
import { busyWhile, button, field, fill, make } from "../elements.js";
import { plainValue } from "../numbers.js";
import { parametersOf } from "../parameters.js";
import { attempt, clear, problemPlace } from "../problems.js";
import { summaryOf } from "../summary.js";

export const LABEL = "1 Choose";
export const TITLE = "Choose sites";
export const SENTENCE = "Make a portfolio of a template, or bring a case file. Everything that follows is about the case that you choose here.";
const FIRST = "vpp";

/** Build the step; returns what shows it. */
export function start(place) {
  const waiting = make("p", { role: "status", class: "state" });
  const problems = problemPlace();
  const cases = casesOf();
  const template = templateForm(makeCase);
  const file = fileForm(take);
  fill(
    place,
    make("div", { class: "columns" }, template.element, make("div", {}, file, cases.element)),
    waiting,
    problems,
    summaryOf(),
  );

  async function makeCase(source) {
    await add(() => send("POST", "/v1/cases", source), "Making the case…");
  }

  async function take(chosen) {
    const added = async () => {
      const identity = await upload(chosen);
      return send("POST", "/v1/cases", { source: "file", file: identity, name: chosen.name.replace(/\.nc$/i, "") });
    };
    await add(added, `Uploading and checking ${chosen.name}…`);
  }

  async function add(work, words) {
    fill(waiting, words);
    const found = await attempt(problems, work);
    fill(waiting, found ? `The case is ready: ${found.summary.title || found.name}.` : "");
    if (!found) return;
    choose(found);
    cases.load();
  }

  let isLoaded = false;
  return async () => {
    clear(problems);
    cases.load();
    if (isLoaded) return;
    isLoaded = true;
    fill(waiting, "Loading templates…");
    const found = await attempt(problems, async () => {
      await template.load((await get("/v1/templates")).templates);
      return true;
    });
    fill(waiting);
    isLoaded = found === true;
  };
}

function templateForm(use) {
  let templates = [];
  let parameters = parametersOf([]);
  const select = make("select", { name: "template" });
  const sentence = make("p", { class: "more" });
  const ranges = make("div");
  const changes = make("textarea", { rows: "3", spellcheck: "false", name: "changes" });
  const problems = problemPlace();
  const go = make("button", { class: "main" }, "Make this case");

  const show = (name, values = {}) => {
    const found = templates.find((x) => x.name === name) ?? templates[0];
    select.value = found.name;
    fill(sentence, sentenceOf(found.sentence));
    parameters = parametersOf(found.parameters, values);
    fill(ranges, parameters.element);
  };
  select.addEventListener("change", () => show(select.value));

  const source = () => ({
    source: "template",
    template: select.value,
    parameters: parameters.values(),
    set: changes.value.split("\n").map(changeOf).filter(Boolean),
  });
  const saved = configurationsOf(source, (document) => {
    show(document.template, document.parameters);
    changes.value = (document.set ?? []).join("\n");
  });
  const form = make(
    "form",
    { "aria-labelledby": "template-heading" },
    make("h2", { id: "template-heading" }, "From a template"),
    field("Template", select),
    sentence,
    ranges,
    make(
      "details",
      {},
      make("summary", {}, "Change single values"),
      field("Changes, one a line", changes, "As PART.FIELD=VALUE: fleet.discharge_max=0 is charging without V2G. 0,5 and 0.5 are the same."),
    ),
    problems,
    make("p", { class: "buttons" }, go),
    saved.element,
  );
  const press = busyWhile(go, () => attempt(problems, () => use(source())));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    press(event);
  });
  return {
    element: form,
    async load(found) {
      templates = found;
      fill(select, templates.map((x) => make("option", { value: x.name }, x.name)));
      show(FIRST);
      await saved.load();
    },
  };
}

/** `fleet.wear = 0,1` as the service reads it. */
function changeOf(line) {
  const at = line.indexOf("=");
  if (at < 0) return line.trim();
  return `${line.slice(0, at).trim()}=${plainValue(line.slice(at + 1))}`;
}

function sentenceOf(text) {
  const plain = text.replace(/^Return a case /, "");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

function fileForm(use) {
  const input = make("input", { type: "file", accept: ".nc", name: "case" });
  const go = button("Upload and check", () => {}, "main");
  const press = busyWhile(go, async () => {
    if (input.files.length === 0) input.focus();
    else await use(input.files[0]);
  });
  go.addEventListener("click", press);
  return make(
    "div",
    { class: "box" },
    make("h2", {}, "From a file"),
    field("Case file (NetCDF)", input, "It is checked before anything is computed."),
    make("p", { class: "buttons" }, go),
  );
}
