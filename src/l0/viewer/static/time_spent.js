/** One sentence on where the time of a call went: failed attempts, waits, the first token and the stream. */

import { h } from "./dom.js";
import { duration } from "./format.js";

/** Return the sentence as a list of elements, empty if nothing is known. */
export function timeSpent(call) {
  const parts = [...lost(call), ...served(call)];
  return parts.length ? [h("p", { class: "spent" }, h("strong", {}, duration(call.duration)), `: ${parts.join(", ")}.`)] : [];
}

function lost(call) {
  const failed = call.attempts.filter((one) => one.outcome === "failed");
  const parts = [];
  const waits = waited(call);
  if (failed.length) parts.push(`${duration(known(call) - waits)} in ${failed.length === 1 ? "a failed attempt" : `${failed.length} failed attempts`}`);
  if (waits) parts.push(`${duration(waits)} waiting before another one`);
  return parts;
}

function waited(call) {
  return call.attempts.reduce((sum, one) => sum + (one.backoff_before ?? 0), 0);
}

/** Return the time of failed attempts and of waits. */
function known(call) {
  return call.attempts.filter((one) => one.outcome === "failed").reduce((sum, one) => sum + one.duration, waited(call));
}

function served(call) {
  const last = call.attempts.filter((one) => one.outcome === "ok").at(-1);
  if (last === undefined) return [];
  const hedge = call.attempts.some((one) => one.hedge);
  const hedged = hedge ? " of the faster request" : "";
  if (call.first_token === null) return [`${duration(last.duration)} for the answer${hedged}`];
  if (call.resume_points.length) return rest(call, last.duration);
  const begin = last.start - call.start;
  const slower = last.hedge ? [`${duration(begin - known(call))} with a slower request alone`] : [];
  return [...slower, `${duration(Math.max(0, call.first_token - begin))} to the first token${hedged}`,
    ...rest(call, call.duration - call.first_token)];
}

/** Return where the time after the first token went: the answer, and the program that reads it. */
function rest(call, time) {
  const own = call.in_program ?? 0;
  const answer = `${duration(Math.max(0, time - own))} for the rest of the answer${gaps(call)}`;
  return own ? [answer, `${duration(own)} in your program`] : [answer];
}

/** Return the longest gap, and what is usual for the model if enough of its calls are known. */
function gaps({ gap_max: longest, usual_gap_p95: usual, attempts }) {
  if (longest === null) return "";
  const compared = usual ? `; usual for the model: 95% of gaps up to ${duration(usual)}` : "";
  return ` (longest gap ${attempts.length > 1 ? "of all attempts " : ""}${duration(longest)}${compared})`;
}
