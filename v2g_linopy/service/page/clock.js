/**
 * The clock of a market, whatever zone the browser is in.
 *
 * Moments are seconds of UTC. Where a clock is set back, an hour has the same name twice: then its
 * distance from UTC stands beside it.
 */

const HOUR = 3600;
const HALF = 1800;
const EVERY = [1, 2, 3, 6, 12];
const clocks = new Map();

/** The clock of a zone; UTC where the browser does not know the zone. */
export function clockOf(zone) {
  if (!clocks.has(zone)) clocks.set(zone, makeClock(zone));
  return clocks.get(zone);
}

function formatter(zone, options) {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  } catch {
    return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
  }
}

function makeClock(zone) {
  const day = formatter(zone, { weekday: "short", day: "numeric", month: "short" });
  const year = formatter(zone, { day: "numeric", month: "short", year: "numeric" });
  const time = formatter(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const distance = formatter(zone, { timeZoneName: "longOffset" });
  const at = (seconds) => new Date(seconds * 1000);

  const offset = (seconds) => {
    const parts = distance.formatToParts(at(seconds));
    const found = parts.find((x) => x.type === "timeZoneName").value.replace("GMT", "UTC");
    return found === "UTC" ? "UTC+00:00" : found;
  };
  const dayOf = (seconds) => day.format(at(seconds)).replace(",", "");
  const timeOf = (seconds) => time.format(at(seconds));
  const isAmbiguous = (seconds) =>
    [-HOUR, HOUR].some((x) => timeOf(seconds + x) === timeOf(seconds) && offset(seconds + x) !== offset(seconds));
  const timeWithOffset = (seconds) =>
    isAmbiguous(seconds) ? `${timeOf(seconds)} (${offset(seconds)})` : timeOf(seconds);

  return {
    zone,
    dayOf,
    dateOf: (seconds) => year.format(at(seconds)),
    timeOf: timeWithOffset,
    momentOf: (seconds) => `${dayOf(seconds)} ${timeWithOffset(seconds)}`,
    /** Full hours of this clock in a range, so few that `most` labels find room. */
    hoursIn(from, to, most) {
      const hours = (to - from) / HOUR;
      const every = EVERY.find((x) => hours / x <= most);
      const days = every ? 1 : Math.ceil(hours / 24 / Math.max(1, most));
      const found = [];
      let midnights = 0;
      for (let t = Math.ceil(from / HALF) * HALF; t <= to; t += HALF) {
        const [hour, minute] = timeOf(t).split(":").map(Number);
        const isAgain = every !== 1 && timeOf(t) === timeOf(t - HOUR);
        if (minute !== 0 || isAgain) continue;
        if (every ? hour % every === 0 : hour === 0 && midnights++ % days === 0) found.push(t);
      }
      return found;
    },
    /** Labels of such hours: the day at midnight, the hour elsewhere. */
    labelsOf: (hours) =>
      hours.map((t) => (timeOf(t) === "00:00" ? dayOf(t) : timeOf(t))),
  };
}
