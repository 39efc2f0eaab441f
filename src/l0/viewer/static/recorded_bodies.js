/** The recorded bodies of a call: a request as text, an answer read by read, as text or in hexadecimal digits. */

import { getRecordedPart } from "./api.js";
import { announce, h } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { visible } from "./visible_text.js";

const ROW = 16;

/** Return a fold that fills itself, from a list of parts, when it is opened. `body`: `{root, show(page)}`. */
export function bodyFold(title, note, address, part, body) {
  let next = 0;
  const more = h("button", { type: "button", hidden: true, onclick: load }, "Show more");
  async function load() {
    more.disabled = true;
    try {
      const page = await getRecordedPart(...address, part, next);
      body.show(page);
      next = page.next;
      more.hidden = next === null;
      more.textContent = `Show more of ${count(page.size)}`;
      announce(next === null ? "All of it is shown" : `${count(next)} of ${count(page.size)} are shown`);
    } catch (error) {
      body.root.replaceChildren(h("p", { role: "alert" }, error.message));
    }
    more.disabled = false;
  }
  const fold = h("details", {}, h("summary", {}, title, " ", h("span", { class: "muted" }, note)), body.root, more);
  fold.addEventListener("toggle", load, { once: true });
  return fold;
}

/** The body of a request. */
export function requestBody(label) {
  const shown = h("pre", { class: "bytes", tabindex: "0", role: "region", "aria-label": label });
  return { root: h("div", {}, shown), show: (page) => shown.append(visible(page.text)) };
}

/** The body of an answer. */
export class AnswerBody {
  constructor(label) {
    this.pieces = [];
    this.hex = null;
    this.list = h("ol");
    const choice = (hex, text) => h("button", { type: "button", onclick: () => this.choose(hex) }, text);
    this.choices = [choice(false, "Text"), choice(true, "Hex")];
    this.root = h("div", {}, h("p", { class: "choices", role: "group", "aria-label": "Show bytes as" }, this.choices),
      h("div", { class: "reads", tabindex: "0", role: "region", "aria-label": label }, this.list));
  }

  show(page) {
    const pieces = page.reads.map((read) => ({ ...read, bytes: Uint8Array.from(atob(read.base64), (one) => one.charCodeAt(0)) }));
    const last = this.pieces.at(-1);
    let place = last === undefined ? 0 : last.place + last.bytes.length;
    for (const piece of pieces) {
      piece.place = place;
      place += piece.bytes.length;
    }
    this.pieces.push(...pieces);
    if (this.hex === null) this.choose(!isText(pieces));
    else this.append(pieces);
  }

  choose(hex) {
    this.hex = hex;
    this.choices.forEach((button, at) => button.setAttribute("aria-pressed", String(hex === (at === 1))));
    // A character may be split between two reads: it is shown with the second.
    this.decoder = new TextDecoder();
    this.list.replaceChildren();
    this.append(this.pieces);
  }

  append(pieces) {
    this.list.append(...pieces.map((piece) => {
      const about = `+${duration(piece.at)}  ${plural(piece.size, "byte")}${piece.offset > 0 ? `, from ${count(piece.offset)}` : ""}`;
      const text = this.hex ? hexDump(piece.bytes, piece.place) : visible(this.decoder.decode(piece.bytes, { stream: true }));
      return h("li", {}, h("span", { class: "muted" }, `read ${piece.number + 1}  ${about}`), h("pre", { class: "bytes" }, text));
    }));
  }
}

function isText(pieces) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for (const { bytes } of pieces) decoder.decode(bytes, { stream: true });
    return !pieces.some(({ bytes }) => bytes.includes(0));
  } catch {
    return false;
  }
}

/** Return bytes in rows: the place of the first one in the body, the digits of each, and those that are ASCII. */
export function hexDump(bytes, place) {
  const rows = [];
  for (let at = 0; at < bytes.length; at += ROW) {
    const row = [...bytes.subarray(at, at + ROW)];
    const digits = row.map((one) => one.toString(16).padStart(2, "0")).join(" ").padEnd(3 * ROW - 1);
    const ascii = row.map((one) => (one >= 0x20 && one < 0x7f ? String.fromCharCode(one) : ".")).join("");
    rows.push(`${(place + at).toString(16).padStart(8, "0")}  ${digits}  ${ascii}`);
  }
  return rows.join("\n");
}
