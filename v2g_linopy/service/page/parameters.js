/** The numbers of a template as sliders, each with a field for typing. */

import { field, make, newId, tick } from "./elements.js";
import { readNumber } from "./numbers.js";
import { Refusal } from "./api.js";

/**
 * @param {Array} parameters As `GET /v1/templates` tells them.
 * @param {object} given Values that are not those of the template.
 * @returns {{element: Element, values: function(): object}}
 */
export function parametersOf(parameters, given = {}) {
  const inputs = parameters.map((x) => [x.name, KINDS[x.type](x, given[x.name] ?? x.default)]);
  return {
    element: make("div", {}, inputs.map(([, x]) => x.element)),
    values: () => Object.fromEntries(inputs.map(([name, x]) => [name, x.read()]).filter(([, x]) => x !== null)),
  };
}

const KINDS = { integer, date, choice, flag };

/** Words of the field for the names of options. */
const LABELS = { pods: "Sites", gates: "Gates", world: "Prices" };

const labelOf = ({ name }) => LABELS[name] ?? name.charAt(0).toUpperCase() + name.slice(1);

function integer(parameter, value) {
  const high = Math.max(parameter.high ?? 100, parameter.default ?? 0);
  const text = make("input", { type: "text", inputmode: "numeric", value: String(value ?? ""), class: "short" });
  const range = make("input", {
    type: "range", min: String(parameter.low ?? 0), max: String(high), value: String(value ?? 0),
    "aria-label": `${labelOf(parameter)}, slider`, tabindex: "0",
  });
  range.addEventListener("input", () => {
    text.value = range.value;
  });
  text.addEventListener("input", () => {
    const typed = readNumber(text.value);
    if (!Number.isNaN(typed)) range.value = String(typed);
  });
  text.id = newId("number");
  const more = `${text.id}-more`;
  text.setAttribute("aria-describedby", more);
  const element = make(
    "div",
    { class: "field slider" },
    make("label", { for: text.id }, labelOf(parameter)),
    make("div", { class: "pair" }, range, text),
    make("p", { class: "more", id: more }, parameter.sentence),
  );
  const read = () => {
    if (text.value.trim() === "") return null;
    const typed = readNumber(text.value);
    if (!Number.isInteger(typed)) throw new Refusal({ detail: `${labelOf(parameter)}: give a whole number, not “${text.value}”` });
    return typed;
  };
  return { element, read };
}

function date(parameter, value) {
  const input = make("input", { type: "date", value: value ?? "" });
  return { element: field(labelOf(parameter), input, parameter.sentence), read: () => input.value || null };
}

function choice(parameter, value) {
  const select = make("select", {}, parameter.choices.map((x) => make("option", { value: x }, x)));
  select.value = value;
  return { element: field(labelOf(parameter), select, parameter.sentence), read: () => select.value };
}

function flag(parameter, value) {
  const { input, element } = tick(parameter.sentence, Boolean(value));
  return { element: make("div", { class: "field" }, element), read: () => input.checked };
}
