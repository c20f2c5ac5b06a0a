/** What went wrong, with everything that has to be mended. */

import { fill, make } from "./elements.js";

/** A place where problems are told, and read aloud. */
export function problemPlace() {
  return make("div", { class: "problems", role: "alert" });
}

/** Tell what is wrong. */
export function tell(place, error) {
  const problems = (error.problems ?? []).map((x) =>
    make("li", {}, x.where ? [make("strong", {}, x.where), ": "] : null, x.detail),
  );
  const words = error.detail ?? error.message ?? String(error);
  fill(place, make("p", {}, words), problems.length ? make("ul", {}, problems) : null);
}

/** Tell nothing any more. */
export function clear(place) {
  fill(place);
}

/** Do work, and tell what is wrong with it; undefined then. */
export async function attempt(place, work) {
  clear(place);
  try {
    return await work();
  } catch (error) {
    tell(place, error);
    return undefined;
  }
}
