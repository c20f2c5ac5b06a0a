/** Numbers as people type and read them. */

/**
 * Read a number with a point or a comma as its decimal mark: 0.5, 0,5, 1.234,5 and 1 234.5.
 * A single mark is the decimal mark; of two kinds the last one is.
 * @returns {number} NaN where it is none.
 */
export function readNumber(text) {
  let plain = String(text).trim().replace(/[\s\u00a0\u202f'’]/g, "").replace(/^\u2212/, "-");
  const decimal = plain.lastIndexOf(",") > plain.lastIndexOf(".") ? "," : ".";
  const other = decimal === "," ? "." : ",";
  if (plain.includes(other)) {
    const [whole] = plain.split(decimal);
    if (!/^[-+]?\d{1,3}([.,]\d{3})+$/.test(whole)) return NaN;
    plain = plain.replaceAll(other, "");
  }
  plain = plain.replace(decimal, ".");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/** Read numbers between which a semicolon or a space stands: "0,5; 4". */
export function readNumbers(text) {
  return String(text).split(/;|,\s|\s/).map((x) => x.trim()).filter(Boolean).map(readNumber);
}

/** A value of a change (`fleet.wear=0,1`) as the service reads it; words stay as they are. */
export function plainValue(text) {
  const number = readNumber(text);
  return Number.isNaN(number) ? text.trim() : String(number);
}

const shown = new Map();

/** A number for people, with a narrow space between thousands; a dash where it is missing. */
export function showNumber(value, digits = 1) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!shown.has(digits)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    shown.set(digits, new Intl.NumberFormat("en-GB", options));
  }
  const text = shown.get(digits).format(value).replaceAll(",", "\u202f");
  const isZero = !/[1-9]/.test(text);
  return isZero ? text.replace("-", "") : text.replace("-", "\u2212");
}

/** Digits that a column needs so that its largest number has about four. */
export function digitsFor(values) {
  const most = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  if (most >= 1000) return 0;
  return most >= 100 ? 1 : most >= 1 ? 2 : 3;
}

/** A number of bytes. */
export function showBytes(size) {
  if (size < 1e3) return `${size} B`;
  return size < 1e6 ? `${showNumber(size / 1e3, 0)} kB` : `${showNumber(size / 1e6, 1)} MB`;
}

/** Seconds as a person would say them. */
export function showSeconds(seconds) {
  if (seconds < 90) return `${showNumber(seconds, 0)} s`;
  return seconds < 5400 ? `${showNumber(seconds / 60, 0)} min` : `${showNumber(seconds / 3600, 1)} h`;
}
