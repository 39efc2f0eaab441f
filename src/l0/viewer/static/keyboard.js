/** Single-key commands, their list, and a switch that turns them off, since speech input may type letters (WCAG 2.1.4). */

import { h } from "./dom.js";

const OFF = "l0-keys-off";
const KEYS = [
  ["j, k", "next and previous call"],
  ["Enter", "open the selected call"],
  ["Esc", "back: to the calls, out of the search"],
  ["/", "search"],
  ["1, 2", "overview, calls"],
  ["p", "pause and go on"],
  ["r, .", "replay a recorded call; one step of it"],
  ["?", "this list"],
];

/**
 * Run `commands[key]` when a key is pressed outside of fields. `escape` also runs inside of them. `before` runs before
 * both.
 */
export function keyboard(commands, before, escape) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      before();
      escape(event);
      return;
    }
    const command = commands[event.key];
    if (command === undefined || isOff() || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    before();
    command();
  });
}

/** Return a function that shows the list of keys. */
export function keyList() {
  const enabled = h("input", { type: "checkbox", id: "keys-on", onchange: () => store(!enabled.checked) });
  const dialog = h("dialog", { "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", { class: "keys" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("p", {}, enabled, " ", h("label", { for: "keys-on" }, "Single letters are commands")),
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  // The policy forbids form actions; closing needs none.
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
  });
  document.body.append(dialog);
  return () => {
    enabled.checked = !isOff();
    dialog.showModal();
  };
}

function isOff() {
  try {
    return localStorage.getItem(OFF) === "yes";
  } catch {
    return false;
  }
}

function store(off) {
  try {
    localStorage.setItem(OFF, off ? "yes" : "no");
  } catch {
    // Storage is refused: the keys stay on.
  }
}
