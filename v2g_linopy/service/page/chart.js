/**
 * A chart over time with what belongs to it: which lines are shown, the values at one moment, and
 * its table. Drawn by uPlot; hours and labels are those of the market's clock.
 */

import { clockOf } from "./clock.js";
import { fill, make, newId } from "./elements.js";
import { digitsFor, showNumber } from "./numbers.js";
import { foldedTable } from "./table.js";

const HEIGHT = 240;
const MOST_SHOWN = 8;
const COLOURS = 8;
const LABEL_WIDTH = 64;

/**
 * @param {object} chart
 * @param {string} chart.title
 * @param {string} chart.unit
 * @param {{time: number[], step_hours: number, zone: string}} chart.clock
 * @param {Array<{label: string, values: Array<number|null>}>} chart.lines
 * @param {boolean} [chart.isBand] Two lines, between which anything is possible.
 * @param {boolean} [chart.atEnds] Values are those at the end of each step, not during it.
 */
export function chartOf({ title, unit, clock, lines, isBand = false, atEnds = false }) {
  const hours = clockOf(clock.zone);
  const step = clock.step_hours * 3600;
  const times = atEnds ? clock.time.map((t) => t + step) : clock.time;
  const digits = digitsFor(lines.flatMap((x) => x.values));
  const place = make("div", { class: "plot", "aria-hidden": "true" });
  const shown = lines.map((_, i) => isBand || i < MOST_SHOWN);

  const told = make("output", { class: "told" });
  const slider = make("input", {
    type: "range", min: "0", max: String(times.length - 1), value: "0",
    "aria-label": `Moment in: ${title}`,
  });
  let plot = null;

  const tell = (i) => {
    const values = lines
      .filter((_, k) => shown[k])
      .map((x) => make("span", { class: "value" }, `${x.label} ${showNumber(x.values[i], digits)} ${unit}`));
    const moment = hours.momentOf(times[i]);
    fill(told, make("strong", {}, moment), values);
    slider.setAttribute("aria-valuetext", [moment, ...values.map((x) => x.textContent)].join(", "));
  };
  slider.addEventListener("input", () => {
    const i = Number(slider.value);
    tell(i);
    const left = plot?.valToPos(times[i] + (atEnds ? 0 : step / 2), "x");
    plot?.setCursor({ left, top: 0 }, false);
  });
  const follow = (u) => {
    if (u.cursor.left < 0) return;
    const at = u.posToVal(u.cursor.left, "x") - (atEnds ? step / 2 : 0);
    const i = Math.min(times.length - 1, Math.max(0, Math.floor((at - times[0]) / step)));
    slider.value = String(i);
    tell(i);
  };

  // What is true during a step is drawn to the end of its last one.
  const ends = (values) => (atEnds ? values : [...values, values.at(-1)]);
  const data = [atEnds ? times : [...times, times.at(-1) + step], ...lines.map((x) => ends(x.values))];
  const draw = () => {
    const width = Math.floor(place.clientWidth);
    if (width === 0) return;
    if (plot) plot.setSize({ width, height: HEIGHT });
    else plot = new window.uPlot(optionsOf({ lines, shown, hours, isBand, atEnds, follow, width, digits }), data, place);
  };
  new ResizeObserver(draw).observe(place);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", () => plot?.redraw(false));

  const toggle = (i, isOn) => {
    shown[i] = isOn;
    plot?.setSeries(i + 1, { show: isOn });
    tell(Number(slider.value));
  };
  tell(0);
  const heading = newId("chart");
  return make(
    "figure",
    { class: "chart", "aria-labelledby": heading },
    make("figcaption", { id: heading }, title, make("span", { class: "unit" }, ` ${unit}`)),
    legendOf(lines, shown, isBand, toggle),
    place,
    make("div", { class: "moment" }, slider, told),
    foldedTable(`${title} (${unit}), ${clock.zone}`, columnsOf(lines, digits, atEnds), () =>
      times.map((t, i) => [`${hours.dateOf(t)} ${hours.timeOf(t)}`, ...lines.map((x) => x.values[i])]),
    ),
  );
}

function columnsOf(lines, digits, atEnds) {
  return [{ name: atEnds ? "End of the step" : "Begin of the step" }, ...lines.map((x) => ({ name: x.label, digits }))];
}

function legendOf(lines, shown, isBand, toggle) {
  if (isBand || lines.length === 1) {
    return make("p", { class: "legend" }, lines.map((x, i) => make("span", {}, swatch(isBand ? 0 : i), ` ${x.label}`)));
  }
  const ticks = lines.map((x, i) => {
    const input = make("input", { type: "checkbox", checked: shown[i] });
    input.addEventListener("change", () => toggle(i, input.checked));
    return make("label", { class: "tick" }, input, " ", swatch(i), ` ${x.label}`);
  });
  return make("fieldset", { class: "legend" }, make("legend", { class: "unseen" }, "Lines that are shown"), ticks);
}

const swatch = (i) => make("span", { class: `swatch line-${(i % COLOURS) + 1}`, "aria-hidden": "true" });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsOf({ lines, shown, hours, isBand, atEnds, follow, width, digits }) {
  const paths = atEnds ? undefined : window.uPlot.paths.stepped({ align: 1 });
  const axis = {
    stroke: () => colour("--text"),
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { stroke: () => colour("--grid"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    padding: [10, 34, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false } },
    series: [
      {},
      ...lines.map((x, i) => ({
        label: x.label,
        show: shown[i],
        stroke: () => colour(`--line-${isBand ? 1 : (i % COLOURS) + 1}`),
        width: 2,
        dash: !isBand && i >= COLOURS ? [6, 4] : undefined,
        paths,
        points: { show: false },
      })),
    ],
    bands: isBand ? [{ series: [1, 2], fill: () => colour("--band") }] : [],
    axes: [
      {
        ...axis,
        size: 32,
        splits: (u, _, from, to) => hours.hoursIn(from, to, Math.floor(u.width / LABEL_WIDTH)),
        values: (_, splits) => hours.labelsOf(splits),
      },
      { ...axis, size: 58, values: (_, splits) => splits.map((y) => showAxis(y, digits)) },
    ],
    hooks: { setCursor: [follow] },
  };
}

/** A number on an axis, with no more digits than it needs. */
function showAxis(value, digits) {
  const rounded = Number(value.toFixed(digits));
  const needed = Math.min(digits, (String(rounded).split(".")[1] ?? "").length);
  return showNumber(rounded, needed);
}
