/** The case that all steps work with; kept for this tab. */

import { get } from "./api.js";

const KEY = "v2g.case";
const heard = [];
let chosen = null;

/** The case that is chosen, or null. */
export const theCase = () => chosen;

/** Call a function now and whenever another case is chosen. */
export function whenChosen(listener) {
  heard.push(listener);
  listener(chosen);
}

/** Choose a case. */
export function choose(found) {
  chosen = found;
  if (found) sessionStorage.setItem(KEY, found.id);
  else sessionStorage.removeItem(KEY);
  heard.forEach((listener) => listener(chosen));
}

/** Choose what was chosen before this page was loaded, if it is still there. */
export async function chooseAgain() {
  const identity = sessionStorage.getItem(KEY);
  if (identity) choose(await caseOf(identity));
}

/** Choose the case of a job, so that what is shown and what is chosen are the same. */
export async function chooseCaseOf(job) {
  const identity = job.request.case;
  if (!identity || identity === chosen?.id) return;
  const found = await caseOf(identity);
  if (found) choose(found);
}

/** A case; null where it was deleted. */
async function caseOf(identity) {
  try {
    return await get(`/v1/cases/${identity}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    return null;
  }
}
