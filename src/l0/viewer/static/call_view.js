/** One call: its outcome in words, its waterfall, what happened, its content if captured, and all attributes. */

import { getCall, paced } from "./api.js";
import { attemptEnd, story } from "./call_story.js";
import { captured } from "./content.js";
import { neighbours } from "./calls_view.js";
import { announce, facts, h } from "./dom.js";
import { count, duration, fullMoment, plural } from "./format.js";
import { RecordingView } from "./recording_view.js";
import { callAddress, callsAddress } from "./route.js";
import { timeSpent } from "./time_spent.js";
import { moments, waterfall } from "./waterfall.js";
import { causeMeaning, causesKnown, outcomeKind, outcomeWords, shape } from "./words.js";

const REFRESH_MS = 1_000;

export class CallView {
  constructor(root, { failed }) {
    this.root = root;
    this.failed = failed;
    this.turn = 0;
    this.refresh = paced(() => this.load(), REFRESH_MS);
  }

  update(route) {
    this.recording?.leave();
    this.recording = new RecordingView(route.trace, route.span);
    this.route = route;
    this.call = null;
    return this.load();
  }

  async load() {
    const turn = ++this.turn;
    try {
      const [call] = await Promise.all([getCall(this.route.trace, this.route.span), causesKnown]);
      if (turn === this.turn) this.show(call);
      await this.recording.load();
    } catch (error) {
      if (turn !== this.turn) return;
      this.root.replaceChildren(this.steps({}), h("h1", { tabindex: "-1" }, "Call"));
      this.failed(error);
    }
  }

  show(call) {
    const text = JSON.stringify(call);
    if (this.call === text) return;
    const first = this.call === null;
    this.call = text;
    const title = h("h1", { tabindex: "-1", class: outcomeKind(call.outcome) }, shape(call.outcome), headline(call));
    this.place(
      [this.steps(neighbours(call, this.route.filter)), title, ...timeSpent(call), summary(call), ...failureSection(call),
        section("Waterfall", waterfall(call)), section("What happened", storyList(call))],
      [section("Content", captured(call.content)),
        ...(call.spans.length ? [section("Other spans of this trace", this.spans(call))] : []), section("Details", details(call))]);
    document.title = `${headline(call)} · l0 view`;
    if (!first) return;
    scrollTo(0, 0);
    title.focus({ preventScroll: true });
    announce(headline(call));
  }

  /** Replace what is above and below the recording, and keep the recording: it may be playing, or have the focus. */
  place(above, below) {
    const kept = this.recording.root;
    if (kept.parentNode !== this.root) this.root.replaceChildren(kept);
    for (const child of [...this.root.children]) if (child !== kept) child.remove();
    kept.before(...above);
    kept.after(...below);
  }

  steps({ newer, older }) {
    const link = (address, text) => address && h("a", { href: address }, text);
    const copy = h("button", { type: "button", onclick: () => copyLink(copy) }, "Copy link");
    const sorted = ["sort", "order"].some((name) => this.route.filter.has(name));
    return h("nav", { class: "steps", "aria-label": "Calls" },
      h("a", { href: callsAddress(this.route.filter) }, "← Calls"), link(newer, sorted ? "Previous" : "Newer"),
      link(older, sorted ? "Next" : "Older"), copy);
  }

  spans(call) {
    const name = (span) => (span.call ? h("a", { href: callAddress({ ...span, trace_id: call.trace_id }, this.route.filter) }, span.name) : span.name);
    const rows = call.spans.map((span) => h("tr", {}, h("td", {}, name(span)), h("td", {}, span.service), h("td", { class: "number" }, duration(span.start - call.start)),
      h("td", { class: "number" }, duration(span.duration)), h("td", {}, span.failed ? `failed ${span.status_message}` : "")));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Other spans" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["Span", "Service", "Start", "Duration", "Status"].map((one, at) =>
      h("th", { scope: "col", class: at === 2 || at === 3 ? "number" : "" }, one)))), h("tbody", {}, rows)));
  }

  /** Go to a neighbour of the call in the address, which may not be shown yet. */
  move(step) {
    const { newer, older } = neighbours({ trace_id: this.route.trace, span_id: this.route.span }, this.route.filter);
    const address = step > 0 ? older : newer;
    if (address) location.hash = address;
  }

  escape() {
    location.hash = callsAddress(this.route.filter);
  }

  replay() {
    this.recording.player?.playOrPause();
  }

  step() {
    this.recording.player?.step();
  }

  /** Spans of a call may arrive after it. */
  arrived(calls) {
    if (calls.some((one) => one.trace_id === this.route.trace)) this.refresh();
  }

  leave() {
    this.recording?.leave();
    this.turn += 1;
  }
}

function section(title, content) {
  return h("section", { "aria-label": title }, h("h2", {}, title), content);
}

function headline(call) {
  const { outcome, attempts, model } = call;
  const tried = attempts.length > 1 ? ` after ${plural(attempts.length, "attempt")}` : "";
  const words = outcomeWords(outcome);
  return `${model ?? call.name}: ${words}${tried}`;
}

function summary(call) {
  const tokens = call.input_tokens === null && call.output_tokens === null ? null : `${count(call.input_tokens)} in, ${count(call.output_tokens)} out`;
  const time = (value) => (value === null ? null : duration(value));
  return facts([
    ["Started", fullMoment(call.start)], ["Service", call.service], ["Provider", call.provider], ["Model", call.model],
    ["Operation", call.operation], ["Duration", duration(call.duration)], ["First token", time(call.first_token)],
    ["Gap p95", time(call.gap_p95)], ["Longest gap", time(call.gap_max)], [call.attempts.length > 1 ? "Tokens of all attempts" : "Tokens", tokens],
    ["Finish reason", call.finish_reasons.filter((one) => one !== "error").join(", ")],
  ], { class: "facts" });
}

/** Return the reason for a failure, and the field of the policy that decided, if one did. */
function failureSection(call) {
  if (call.outcome !== "failed") return [];
  const meaning = call.cause === null ? null : causeMeaning(call.cause);
  const start = `${call.cause}: `;
  const message = call.status_message.startsWith(start) ? call.status_message.slice(start.length) : call.status_message;
  const known = meaning === null || message.includes(meaning);
  return [h("section", { class: "trouble", "aria-label": "Failure" }, facts([
    ["Cause", call.cause === null ? null : `${call.cause}${known ? "" : `: ${meaning}`}`],
    // A failure for which the SDK raises no exception of its own has its cause as its type.
    ["Exception", call.error_type === call.cause ? null : call.error_type], ["Message", message],
    ["Why no further attempt", call.stop_reason], ["Decided by", decider(call.policy_field)],
  ]))];
}

function decider(field) {
  if (field === null) return null;
  return field === "max_retries" ? "max_retries of the SDK's client" : `${field} in the policy of the call`;
}

function storyList(call) {
  return h("ol", { class: "story" }, story(call, moments(call)).map(({ time, text, kind }) =>
    h("li", { class: kind }, h("span", { class: "number muted" }, `+${duration(time - call.start)}`), h("span", {}, text))));
}

function details(call) {
  const attempts = call.attempts.filter((attempt) => Object.keys(attempt.attributes).length || attempt.message);
  return [
    fold("Attributes of the call", call.attributes),
    ...attempts.map((attempt) => fold(`Attempt ${attempt.number}: ${attemptEnd(attempt, call).short}`,
      { ...(attempt.message ? { "status message": attempt.message } : {}), ...attempt.attributes })),
    ...call.events.map((event) => fold(`Event ${event.name} at +${duration(event.time - call.start)}`, event.attributes)),
    fold("Resource", call.resource),
    fold("Identifiers", { trace_id: call.trace_id, span_id: call.span_id, parent_id: call.parent_id, scope: call.scope, name: call.name }),
  ];
}

function fold(title, attributes) {
  const pairs = Object.entries(attributes);
  return h("details", {}, h("summary", {}, title, " ", h("span", { class: "muted" }, count(pairs.length))),
    facts(pairs.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]), { class: "attributes" }));
}

async function copyLink(button) {
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy the address bar instead";
  }
}
