/** What to do while there is no call: how to send some, or how to see others. */

import { h } from "./dom.js";

const DEFAULT_PORT = "4318";

/** Return instructions for sending calls to this page. */
export function noCallsYet() {
  const here = location.origin;
  const address = location.port === DEFAULT_PORT ? "True" : `"${here}"`;
  return h("section", { class: "empty", "aria-labelledby": "empty-title" },
    h("h1", { id: "empty-title", tabindex: "-1" }, "Waiting for the first call"),
    h("p", {}, "This page shows calls as soon as a program sends them. There are three ways:"),
    way("In your program", `import l0\n\nl0.instrument(otlp=${address})`),
    way("Without a change to it", `OTEL_EXPORTER_OTLP_ENDPOINT=${here} l0 run app.py`),
    way("From any other sender of OpenTelemetry", `OTEL_EXPORTER_OTLP_ENDPOINT=${here}\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`),
    h("p", { class: "muted" }, "Everything stays on this machine."));
}

function way(title, code) {
  return h("div", { class: "way" }, h("h2", {}, title), h("pre", {}, h("code", {}, code)));
}

/** Return a note that no call matches, with a button that removes the filter. */
export function nothingMatches(clear) {
  return h("div", { class: "empty" },
    h("p", {}, "No call matches this filter."),
    h("button", { type: "button", onclick: clear }, "Show all calls"));
}
