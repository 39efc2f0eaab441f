/** The recording of a call: its replay, the decisions of the engine, and the bytes of its attempts. */

import { getRecording } from "./api.js";
import { facts, h } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { AnswerBody, bodyFold, requestBody } from "./recorded_bodies.js";
import { TokenPlayer } from "./token_player.js";
import { visible } from "./visible_text.js";

const AGAIN_MS = 1_000;
const MOST_TRIES = 30;
const ENDINGS = { eof: "complete body", error: "broken", closed: "closed by the client", lost: "dropped: another attempt was faster" };

export class RecordingView {
  constructor(trace, span) {
    this.ids = [trace, span];
    this.root = h("div", { class: "recording" });
    this.tries = 0;
  }

  async load() {
    const found = await getRecording(...this.ids);
    const text = JSON.stringify(found);
    if (text === this.shown || this.left) return;
    this.shown = text;
    this.player?.stop();
    this.player = null;
    this.root.replaceChildren(...(found.call === null ? [notRecorded(found)] : this.sections(found.call)));
    // The recorder writes a few times a second: the end of a call may be written after its span has arrived.
    if (found.call?.outcome === null && this.tries++ < MOST_TRIES) this.timer = setTimeout(() => this.load().catch(() => {}), AGAIN_MS);
  }

  sections(call) {
    const story = decisions(call);
    if (call.flow.reads.length) this.player = new TokenPlayer(call, (at) => mark(story, call.story, at));
    return [
      ...(this.player ? [section("Replay", [this.player.root, call.flow.cut && h("p", { class: "muted" }, "The text is cut: it is too long to be replayed in full.")])] : []),
      section("Decisions", [story, call.difference && h("p", {}, call.difference), h("p", { class: "muted" }, `Call ${call.id} in ${visible(call.file)}`)]),
      section("Requests and answers", call.attempts.map((attempt) => attemptArticle(attempt, [...this.ids, attempt.number]))),
    ];
  }

  leave() {
    this.left = true;
    clearTimeout(this.timer);
    this.player?.stop();
  }
}

function section(title, content) {
  return h("section", { "aria-label": title }, h("h2", {}, title), content);
}

function notRecorded({ folders, problems }) {
  const where = folders.length ? ["This call is in no recording of ", folders.map((folder, at) => [at ? ", " : "", h("code", {}, visible(folder))]).flat(), "."]
    : ["No folder of recorded calls is known. A recorded call shows its bytes and decisions here, and replays its token flow: start ",
      h("code", {}, "l0 view --recordings runs/"), " and ", h("code", {}, "l0 run --record runs/ app.py"), "."];
  return section("Recording", [h("p", { class: "muted" }, where), problems.map((problem) => h("p", {}, visible(problem)))]);
}

function decisions(call) {
  return h("ol", { class: "decisions" }, call.story.map((event) => h("li", {},
    h("span", { class: "number muted" }, `+${duration(event.at)}`), h("span", { class: "muted" }, event.subject),
    h("span", {}, visible(event.text), event.field && [" ", h("code", {}, visible(event.field))]))));
}

/** Mark the events that follow a time as later, and the latest event before it as current. */
function mark(list, story, at) {
  const latest = at > 0 ? story.findLastIndex((event) => event.at <= at) : -1;
  [...list.children].forEach((line, place) => {
    line.classList.toggle("later", latest >= 0 && place > latest);
    if (place === latest) line.setAttribute("aria-current", "step");
    else line.removeAttribute("aria-current");
  });
}

function attemptArticle(attempt, address) {
  const { number, method, path } = attempt;
  const kind = attempt.hedge ? " (hedge)" : attempt.leg > 0 ? ` (fallback ${attempt.leg})` : "";
  const time = (at) => (at === null ? "" : ` at +${duration(at)}`);
  const end = attempt.ending === null ? "given up" : ENDINGS[attempt.ending] ?? attempt.ending;
  const title = `Attempt ${number}${kind}${method ? `: ${method} ${visible(path ?? "")}` : ""}`;
  return h("article", { class: "attempt", "aria-label": `Attempt ${number}${kind}` }, h("h3", {}, title),
    facts([
      ["Sent", `+${duration(attempt.started)}`],
      ["Request", attempt.request_bytes === null ? "unknown size" : plural(attempt.request_bytes, "byte")],
      ["Status", attempt.status === null ? "no answer" : `${attempt.status}${time(attempt.head_at)}`],
      ["Answer", `${plural(attempt.reads, "read")}, ${plural(attempt.answer_bytes, "byte")}`],
      ["End", `${end}${time(attempt.ended)}`], ["Failure", attempt.failure && visible(attempt.failure)],
    ], { class: "facts" }),
    headers("Headers of the request", attempt.request_headers), requestFold(attempt, address),
    headers("Headers of the answer", attempt.response_headers),
    attempt.reads > 0 && bodyFold("Bytes of the answer", count(attempt.answer_bytes), address, "answer", new AnswerBody(`Bytes of the answer of attempt ${number}`)));
}

function requestFold(attempt, address) {
  const { number, request, request_sha256: sha256 } = attempt;
  if (request === null) return null;
  const title = request === "body" ? "Body of the request" : "Shape of the request";
  const note = request === "body" ? "secrets masked" : "sizes and hashes: record_content=True keeps the texts";
  const body = requestBody(`${title} of attempt ${number}`);
  if (sha256 !== null) body.root.prepend(h("p", { class: "muted" }, "SHA-256 of the body: ", h("code", {}, sha256)));
  return bodyFold(title, note, address, "request", body);
}

function headers(title, pairs) {
  if (!pairs.length) return null;
  return h("details", {}, h("summary", {}, title, " ", h("span", { class: "muted" }, count(pairs.length))),
    facts(pairs.map(([name, value]) => [visible(name), visible(value)]), { class: "attributes" }));
}
