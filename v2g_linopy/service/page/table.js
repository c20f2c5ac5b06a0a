/** Tables: of records, and beside every chart. */

import { fill, make } from "./elements.js";
import { showNumber } from "./numbers.js";

/**
 * A table that can be scrolled by keyboard where it is wider than the page.
 * @param {string} caption
 * @param {Array<{name: string, digits?: number}>} columns Numbers where `digits` is given.
 * @param {Array<Array>} rows The first cell heads its row.
 */
export function tableOf(caption, columns, rows) {
  const head = columns.map((x) => make("th", { scope: "col", class: kind(x) }, x.name));
  const body = rows.map((row) =>
    make("tr", {}, row.map((cell, i) => cellOf(cell, columns[i], i))),
  );
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make(
      "table",
      {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, head)),
      make("tbody", {}, body),
    ),
  );
}

const kind = (column) => (column.digits === undefined ? null : "number");

function cellOf(cell, column, i) {
  const shown = column.digits === undefined || cell instanceof Node ? cell : showNumber(cell, column.digits);
  if (i === 0) return make("th", { scope: "row", class: kind(column) }, shown);
  return make("td", { class: kind(column) }, shown);
}

/** A table that is made when somebody opens it. */
export function foldedTable(caption, columns, rows) {
  const place = make("div");
  const open = (event) => {
    if (event.target.open && !place.hasChildNodes()) fill(place, tableOf(caption, columns, rows()));
  };
  return make("details", { class: "table", on: { toggle: open } }, make("summary", {}, "Table"), place);
}
