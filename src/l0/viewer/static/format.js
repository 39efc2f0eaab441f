/** Numbers and times as text. */

const LOCALE = "en-GB";
const WHOLE = new Intl.NumberFormat("en-US");
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(LOCALE, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  fractionalSecondDigits: 3, timeZoneName: "short",
});
const THIN = "\u202f";
export const NONE = "–";

export function count(value) {
  return value === null || value === undefined ? NONE : WHOLE.format(value);
}

export function plural(value, noun) {
  return `${WHOLE.format(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Return a share of 1 in percent, with more decimals close to 100 %, where they matter. Never rounds up to 100 %. */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return NONE;
  const decimals = share >= 1 || share === 0 ? 0 : share > 0.99 ? 2 : 1;
  const scale = 10 ** decimals;
  return `${(Math.floor(share * 100 * scale + 1e-9) / scale).toFixed(decimals)}${THIN}%`;
}

/** Return a duration in ms as text with two or three digits: `0.85 ms`, `4.2 ms`, `61 ms`, `1.28 s`, `2 min 5 s`. */
export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 10) return `${trimmed(ms, ms < 1 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_995) return `${(ms / 1e3).toFixed(2)} s`;
  if (ms < 99_950) return `${(ms / 1e3).toFixed(1)} s`;
  const seconds = Math.round(ms / 1e3);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function trimmed(value, decimals) {
  return value.toFixed(decimals).replace(/\.?0+$/, "");
}

/** Return the time of day, and the date if it is not today's. */
export function moment(ms) {
  const time = new Date(ms);
  const clock = CLOCK.format(time);
  return time.toDateString() === new Date().toDateString() ? clock : `${DAY.format(time)}, ${clock}`;
}

export function fullMoment(ms) {
  return FULL.format(new Date(ms));
}

export function megabytes(bytes) {
  return `${WHOLE.format(bytes < 1e7 ? Math.round(bytes / 1e5) / 10 : Math.round(bytes / 1e6))} MB`;
}
