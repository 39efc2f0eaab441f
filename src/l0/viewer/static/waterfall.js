/** One call as a waterfall: each attempt with the backoff before it, the commit point, and the flow of tokens. */

import { h } from "./dom.js";
import { duration } from "./format.js";
import { attemptEnd, attemptTitle } from "./call_story.js";
import { outcomeKind, outcomeWords } from "./words.js";

const TICKS = 5;
/** Percent of the width that the label of a backoff needs. */
const NARROW = 7;
const SAME_MOMENT_MS = 1;

export function waterfall(call) {
  const scale = new Scale(call);
  const rows = [
    row("call", call.name, [
      scale.bar(call.start, call.duration, `whole ${outcomeKind(call.outcome)}`, null), h("span", { class: "unseen" }, `${outcomeWords(call.outcome)}, ${duration(call.duration)}`)]),
    ...call.attempts.map((attempt) => attemptRow(attempt, call, scale)),
  ];
  if (call.rules.length) rows.push(row("rules", "findings", call.rules.map((one) => scale.point(one.time, "finding", one.rule ?? "rule"))));
  if (call.timeline !== null) rows.push(flowRow(call, scale));
  return h("div", { class: "waterfall" },
    h("div", { class: "axis", "aria-hidden": "true" }, scale.ticks()),
    h("div", { class: "rows" }, h("div", { class: "marks", "aria-hidden": "true" }, marks(call, scale)), h("ol", {}, rows)),
    markLegend(call));
}

/** The time of the call as percent of the width. */
class Scale {
  constructor(call) {
    this.start = call.start;
    const ends = call.attempts.map((attempt) => attempt.start + attempt.duration - call.start);
    const flow = call.timeline === null ? 0 : call.timeline.tokens.length * call.timeline.bucket_ms;
    this.length = Math.max(call.duration, ...ends, Math.min(flow, call.duration * 1.05), 0.001);
  }

  at(time) {
    return Math.max(0, Math.min(100, (100 * (time - this.start)) / this.length));
  }

  /** `clear`: the start of what is before the bar, which the label must not cover. */
  bar(start, length, kind, label, clear = start) {
    const [left, right] = [this.at(start), this.at(start + length)];
    const box = h("span", { class: `bar ${kind}`, "aria-hidden": "true", style: { left: `${left}%`, width: `${right - left}%` } });
    if (label === null) return box;
    const text = h("span", { class: "label", "aria-hidden": "true" }, label);
    if (right < 62) text.style.left = `${right}%`;
    else if (right - left > 30) text.style.left = `${left}%`;
    else text.style.right = `${100 - this.at(clear)}%`;
    return [box, text];
  }

  point(time, kind, label) {
    return [h("span", { class: `point ${kind}`, style: { left: `${this.at(time)}%` }, title: label }),
      h("span", { class: "unseen" }, label)];
  }

  ticks() {
    const step = niceStep(this.length / TICKS);
    const ticks = [];
    for (let at = 0; at <= this.length * 0.97; at += step) {
      ticks.push(h("span", { style: { left: `${(100 * at) / this.length}%` } }, at === 0 ? "0" : duration(at)));
    }
    return ticks;
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least);
}

function row(name, title, shown, kind = "") {
  return h("li", { class: `row ${kind}` }, h("span", { class: "name" }, name, " ", h("span", { class: "muted" }, title)), h("span", { class: "track" }, shown));
}

function attemptRow(attempt, call, scale) {
  const { start, backoff_before: backoff } = attempt;
  const shown = [];
  if (backoff) {
    const wide = scale.at(start) - scale.at(start - backoff) > NARROW;
    shown.push(h("span", { class: "bar backoff", "aria-hidden": "true", style: {
      left: `${scale.at(start - backoff)}%`, width: `${scale.at(start) - scale.at(start - backoff)}%` } },
    wide && h("span", { class: "inside" }, `backoff ${duration(backoff)}`)));
  }
  const end = attemptEnd(attempt, call);
  shown.push(scale.bar(start, attempt.duration, end.kind, end.short, start - (backoff ?? 0)));
  for (const point of call.resume_points.filter((one) => one.attempt === attempt.number)) {
    shown.push(scale.point(point.time, "resume", `resumed after ${point.at ?? "?"} characters`));
  }
  const words = `starts at ${duration(start - call.start)}${backoff ? ` after ${duration(backoff)} of backoff` : ""}, ${end.short}`;
  shown.push(h("span", { class: "unseen" }, words));
  return row(`attempt ${attempt.number}`, attemptTitle(attempt, call), shown, end.kind);
}

function flowRow(call, scale) {
  const { tokens, bucket_ms: width } = call.timeline;
  const most = Math.max(...tokens, 1);
  const total = tokens.reduce((sum, one) => sum + one, 0);
  const bars = tokens.map((number, at) => number > 0 && h("i", { style: {
    left: `${scale.at(call.start + at * width)}%`,
    width: `${scale.at(call.start + (at + 1) * width) - scale.at(call.start + at * width)}%`,
    height: `${Math.max(6, (100 * number) / most)}%` } }));
  const text = `${total} deltas; at most ${most} in ${duration(width)}`;
  return row("token flow", text, h("span", { class: "flow", role: "img", "aria-label": `Token flow: ${text}` }, bars), "flowing");
}

/** Return the moments of a call that are drawn as lines across its attempts: `{time, kind, label}`. */
export function moments(call) {
  const released = call.first_token === null ? null : call.start + call.first_token;
  const content = call.first_content === null ? null : call.start + call.first_content;
  if (released === null) return content === null ? [] : [{ time: content, kind: "first", label: "first token" }];
  const together = content === null || Math.abs(released - content) <= SAME_MOMENT_MS;
  if (together) return [{ time: released, kind: "commit", label: "first token, commit point" }];
  return [{ time: content, kind: "first", label: "first token" }, { time: released, kind: "commit", label: "commit point" }];
}

function marks(call, scale) {
  return moments(call).map(({ time, kind }) => h("span", { class: `mark ${kind}`, style: { left: `${scale.at(time)}%` } }));
}

function markLegend(call) {
  const keys = moments(call).map(({ time, kind, label }) =>
    h("span", { class: "key" }, h("i", { class: `line ${kind}` }), `${label} at ${duration(time - call.start)}`));
  if (call.resume_points.length) keys.push(h("span", { class: "key" }, h("i", { class: "point resume" }), "resume point"));
  if (call.rules.length) keys.push(h("span", { class: "key" }, h("i", { class: "point finding" }), "finding of a rule"));
  return keys.length ? h("p", { class: "legend" }, keys) : null;
}
