/** A call in words: what each attempt was for, how it ended, and everything that happened, in order. */

import { count, duration, plural } from "./format.js";
import { causeMeaning, outcomeWords } from "./words.js";

/** Return what kind of request an attempt is, if it is not a plain one. */
export function attemptTitle(attempt, call) {
  const resumed = call.resume_points.some((one) => one.attempt === attempt.number);
  return [attempt.hedge && "hedge", attempt.leg > 0 && `fallback ${attempt.leg}`, attempt.leg > 0 && attempt.model, resumed && "resume"]
    .filter(Boolean).join(", ");
}

/** Return how an attempt ended: a kind for its colour, and few words. */
export function attemptEnd(attempt, call) {
  if (attempt.lost) return { kind: "lost", short: "cancelled: the other request was faster" };
  if (attempt.outcome === "cancelled") return { kind: "cancelled", short: "cancelled by the program" };
  if (attempt.outcome === "failed") {
    const status = attempt.status !== null && attempt.status >= 400 ? ` (${attempt.status})` : "";
    return { kind: "failed", short: `failed: ${attempt.cause ?? "unknown"}${status}` };
  }
  return { kind: call.outcome === "ok" ? "ok" : "served", short: "served the answer" };
}

/** Return what happened as `{time, text, kind}`, in order. */
export function story(call, moments) {
  const lines = [{ time: call.start, kind: "", text: `The program calls ${call.model ?? call.name}.` }];
  for (const attempt of call.attempts) lines.push(...attemptLines(attempt, call));
  for (const moment of moments) lines.push({ time: moment.time, kind: moment.kind, text: momentText(moment, call) });
  for (const finding of call.rules) lines.push({ time: finding.time, kind: "finding", text: findingText(finding) });
  for (const event of call.events.filter((one) => one.name === "l0.shadow")) {
    lines.push({ time: event.time, kind: "", text: `Shadow mode: the policy would have done this: ${event.attributes["l0.shadow.action"]}.` });
  }
  lines.sort((one, other) => one.time - other.time);
  lines.push({ time: call.start + call.duration, kind: call.outcome, text: endText(call) });
  return lines;
}

function attemptLines(attempt, call) {
  const { number, start, backoff_before: backoff } = attempt;
  const resume = call.resume_points.find((one) => one.attempt === number);
  const sent = [
    `Attempt ${number} is sent`,
    backoff ? `after ${duration(backoff)} of backoff` : "",
    attempt.hedge ? "as a hedge, beside the slow one" : "",
    attempt.leg > 0 ? `to fallback ${attempt.leg}${attempt.model ? ` (${attempt.model})` : ""}` : "",
    resume ? `to resume the answer after ${count(resume.at)} characters (${resume.strategy ?? "unknown strategy"})` : "",
  ];
  const end = attemptEnd(attempt, call);
  const meaning = attempt.cause === null ? null : causeMeaning(attempt.cause);
  const text = `Attempt ${number} ${end.short}${meaning ? `: ${meaning}` : ""}.`;
  return [
    { time: start, kind: "", text: `${sent.filter(Boolean).join(" ")}.` },
    { time: start + attempt.duration, kind: end.kind, text },
  ];
}

function momentText({ kind }, call) {
  if (kind === "first") return "The first token arrives. It is held back until it may be released.";
  const after = call.resume_points.length ? "the answer can only be resumed" : "a failure could only be recovered by resuming";
  return `The program gets the first token: the commit point. From here on ${after}.`;
}

function findingText(finding) {
  const about = [finding.severity, finding.action, finding.at === null ? "" : `at character ${count(finding.at)}`];
  const kind = finding.drift ? "Drift" : "Rule";
  return `${kind} ${finding.rule ?? ""}: ${finding.message ?? "found"} (${about.filter(Boolean).join(", ")}).`;
}

function endText(call) {
  if (call.outcome === "failed") return `The call fails${call.error_type ? ` with ${call.error_type}` : ""}.`;
  if (call.outcome === "cancelled") return "The program ends the call.";
  // The tokens of several attempts are reported as one sum.
  const tokens = call.output_tokens === null || call.attempts.length > 1 ? "" : ` with ${plural(call.output_tokens, "token")}`;
  return `The answer is complete${tokens}: ${outcomeWords(call.outcome)}.`;
}
