/** Replay the flow of a recorded answer: what each read brought, what the program got, and what the engine decided. */

import { announce, h } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { visible } from "./visible_text.js";

const SPEEDS = [1, 2, 10, 100];
const BARS = 120;
/** The pause between two pictures for people who want less motion. */
const CALM_MS = 1_000;
const KINDS = { reasoning: "reasoning: ", refusal: "refusal: ", tool: "tool call: ", text: "" };

export class TokenPlayer {
  /** `moved(at)`: called with the time of the call that is shown, in milliseconds. */
  constructor(call, moved) {
    this.call = call;
    this.moved = moved;
    this.steps = stepsOf(call);
    this.length = Math.max(call.duration, 1);
    this.speed = SPEEDS[0];
    this.stopNext = null;
    this.build();
    this.reset();
    this.draw();
  }

  build() {
    const button = (text, onclick) => h("button", { type: "button", onclick }, text);
    this.toggle = button("Play", () => this.playOrPause());
    this.range = h("input", { type: "range", min: 0, max: this.length, step: "any", "aria-label": "Time of the call", oninput: () => this.seek(Number(this.range.value)) });
    const speed = h("select", { id: "replay-speed", onchange: () => (this.speed = Number(speed.value)) }, SPEEDS.map((one) => h("option", { value: one }, `${one}x`)));
    this.time = h("span", { class: "number" });
    this.head = h("span", { class: "playhead" });
    this.counts = h("p", { class: "muted" });
    this.latest = h("p", { class: "latest" });
    const numbers = [...new Set(this.call.flow.reads.filter((read) => read.content.length).map((read) => read.attempt))].sort((one, other) => one - other);
    this.texts = new Map(numbers.map((number) => [number, h("pre", { class: "arrived", tabindex: "0", role: "region", "aria-label": `Answer of attempt ${number} so far` })]));
    this.root = h("div", { class: "player", role: "group", "aria-label": "Replay of the token flow" },
      h("div", { class: "controls" }, this.toggle, button("Step", () => this.step()), button("Start again", () => this.restart()),
        h("label", { for: "replay-speed" }, "Speed"), speed, this.time),
      h("div", { class: "strip", "aria-hidden": "true" }, bars(this.call.flow.reads, this.length), this.head),
      this.range, this.latest, this.counts,
      [...this.texts].map(([number, text]) => [this.texts.size > 1 && h("h3", {}, `Attempt ${number}`), text]));
  }

  reset() {
    this.at = 0;
    this.next = 0;
    this.totals = { reads: 0, bytes: 0, items: 0, chars: 0 };
    for (const text of this.texts.values()) text.replaceChildren();
    this.latest.textContent = "";
    this.lastKind = new Map();
  }

  /** Show the call as it was at a time. */
  seek(at) {
    if (at < this.at) this.reset();
    this.at = Math.min(at, this.length);
    while (this.next < this.steps.length && this.steps[this.next].at <= this.at) this.apply(this.steps[this.next++]);
    this.draw();
  }

  apply(step) {
    const { totals } = this;
    if (step.kind === "event") this.latest.textContent = spokenText(step);
    if (step.kind === "delivery") {
      totals.items += step.items;
      totals.chars = step.chars;
    }
    if (step.kind !== "read") return;
    totals.reads += this.call.flow.joined;
    totals.bytes += step.bytes;
    for (const { kind, text } of step.content) this.texts.get(step.attempt).append(this.piece(step.attempt, kind, text));
  }

  /** Return text of the answer; a change from text to reasoning, or to a tool call, begins a line. */
  piece(attempt, kind, text) {
    const before = this.lastKind.get(attempt);
    this.lastKind.set(attempt, kind);
    const opening = before === kind ? "" : `${before === undefined ? "" : "\n"}${KINDS[kind]}`;
    return h("span", { class: kind }, opening, visible(text));
  }

  draw() {
    const { reads, bytes, items, chars } = this.totals;
    this.time.textContent = `${duration(this.at)} of ${duration(this.length)}`;
    this.head.style.left = `${(100 * this.at) / this.length}%`;
    this.range.value = this.at;
    // A value that changes while it plays would be read out all the time.
    if (!this.playing) this.range.setAttribute("aria-valuetext", this.time.textContent);
    this.counts.textContent = `${this.call.flow.joined > 1 ? "about " : ""}${plural(reads, "read")}, ${plural(bytes, "byte")} arrived; ${plural(items, "item")}, ${plural(chars, "character")} of ${count(this.call.delivered_chars)} delivered`;
    for (const text of this.texts.values()) text.scrollTop = text.scrollHeight;
    this.moved(this.at);
  }

  get playing() {
    return this.stopNext !== null;
  }

  playOrPause() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.at >= this.length) this.seek(0);
    this.toggle.textContent = "Pause";
    announce(`Playing at ${this.speed}x`);
    let last = performance.now();
    const picture = () => {
      const now = performance.now();
      this.stopNext = later(picture);
      this.seek(this.at + (now - last) * this.speed);
      last = now;
      if (this.at >= this.length) this.end();
    };
    this.stopNext = later(picture);
  }

  pause() {
    this.stop();
    announce(`Paused at ${duration(this.at)}`);
  }

  end() {
    this.stop();
    announce(`End of the replay: ${this.latest.textContent}`);
  }

  stop() {
    this.stopNext?.();
    this.stopNext = null;
    this.toggle.textContent = "Play";
    this.draw();
  }

  /** Go to the next read or event, and past the deliveries that follow it. */
  step() {
    if (this.playing) this.stop();
    const first = this.next;
    if (first === this.steps.length) return announce("The replay is at its end");
    let last = first;
    while (this.steps[last + 1]?.kind === "delivery") last++;
    this.seek(this.steps[last].at);
    announce(`${duration(this.at)}: ${this.steps.slice(first, this.next).map(spokenText).join("; ")}`);
  }

  restart() {
    if (this.playing) this.stop();
    this.seek(0);
    announce("At the start");
  }
}

/** Return everything that happened, in order. What the engine decided on a read follows it. */
function stepsOf({ flow, story }) {
  const steps = [
    ...flow.reads.map((read) => ({ kind: "read", ...read })), ...flow.deliveries.map((one) => ({ kind: "delivery", ...one })),
    ...story.map((event) => ({ kind: "event", ...event })),
  ];
  return steps.sort((one, other) => one.at - other.at);
}

function spokenText(step) {
  if (step.kind === "event") return `${step.subject}: ${visible(step.text)}`;
  if (step.kind === "delivery") return `${plural(step.items, "item")} delivered`;
  const text = visible(step.content.map((one) => one.text).join(""));
  return `${plural(step.bytes, "byte")} of attempt ${step.attempt}${text ? `: ${text}` : ""}`;
}

/** Run a task at the next frame, or in a second for people who want less motion. Return a function that cancels it. */
function later(task) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const timer = setTimeout(task, CALM_MS);
    return () => clearTimeout(timer);
  }
  const frame = requestAnimationFrame(task);
  return () => cancelAnimationFrame(frame);
}

/** Return the bytes that arrived over the time of the call, as bars. */
function bars(reads, length) {
  const sums = Array(BARS).fill(0);
  for (const { at, bytes } of reads) sums[Math.max(0, Math.min(BARS - 1, Math.floor((BARS * at) / length)))] += bytes;
  const most = Math.max(...sums, 1);
  return sums.map((sum, at) => sum > 0 && h("i", { style: { left: `${(100 * at) / BARS}%`, width: `${100 / BARS}%`, height: `${Math.max(6, (100 * sum) / most)}%` } }));
}
