/** Outcomes and causes in words, each outcome with a shape of its own. */

import { h, svg } from "./dom.js";

const RECOVERY = "recovered_";
const RECOVERED_BY = "recovered by ";
export const RECOVERED = ["recovered_retry", "recovered_resume", "recovered_fallback", "recovered_hedge"];

const SHAPES = {
  ok: "M3 8.5l3.2 3.2L13 4.8",
  recovered_retry: "M12.7 6A5.2 5.2 0 1 0 13 9.3M13 2.8V6H9.8",
  recovered_resume: "M2.5 8h3M7 8h2M10.5 8h2.5M10.5 5l3 3-3 3",
  recovered_fallback: "M3 4h4.5v8H13M10.5 9.5L13 12l-2.5 2.5",
  recovered_hedge: "M2.5 5h10M2.5 11h10M10 2.5L12.5 5 10 7.5M10 8.5l2.5 2.5-2.5 2.5",
  failed: "M4 4l8 8M12 4l-8 8",
  cancelled: "M4 8h8",
};

let meanings = {};
let known;
/** Resolved once the meanings of causes are known. */
export const causesKnown = new Promise((resolve) => (known = resolve));

/** Store the meanings of the causes, which the server sends. */
export function learnCauses(given) {
  meanings = given;
  known();
}

export function causeMeaning(cause) {
  return meanings[cause] ?? null;
}

/** Return the kind of an outcome, which decides its colour: ok, recovered, failed or cancelled. */
export function outcomeKind(outcome) {
  if (outcome.startsWith(RECOVERY)) return "recovered";
  return outcome in SHAPES ? outcome : "other";
}

export function outcomeWords(outcome) {
  return outcome.startsWith(RECOVERY) ? `${RECOVERED_BY}${outcome.slice(RECOVERY.length)}` : outcome;
}

/** Return an outcome as a shape and its words. Narrow screens show only the last word. */
export function outcomeMark(outcome) {
  const words = outcomeWords(outcome);
  const [first, last] = words.startsWith(RECOVERED_BY) ? [RECOVERED_BY, words.slice(RECOVERED_BY.length)] : ["", words];
  return h("span", { class: `outcome ${outcomeKind(outcome)}` }, shape(outcome),
    h("span", {}, h("span", { class: "long" }, first), last));
}

export function shape(outcome) {
  const drawn = svg("path", { d: SHAPES[outcome] ?? SHAPES.cancelled });
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "shape" }, drawn);
}

export function providerAndModel(one) {
  return [one.provider ?? "unknown provider", one.model ?? "unknown model"];
}
