/** The captured messages of a call, as text. */

import { h } from "./dom.js";

/** Return the captured content, or a note that there is none. */
export function captured(content) {
  if (content === null) {
    return h("p", { class: "muted" }, "The span has no messages. L0 puts prompts and answers on spans only if the program asks for it: ",
      h("code", {}, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY"), ".");
  }
  const parts = [
    ...messages(content.system_instructions, "system"), ...messages(content.input_messages, "input"),
    ...messages(content.output_messages, "output"),
  ];
  if (content.tool_definitions !== null) parts.push(message("tools", pretty(content.tool_definitions)));
  return h("div", { class: "messages" }, parts);
}

function messages(value, role) {
  if (value === null) return [];
  if (!Array.isArray(value)) return [message(role, pretty(value))];
  if (role === "system") return [message(role, value.map(part).join("\n"))];
  return value.map((one) => message(one?.role ?? role, Array.isArray(one?.parts) ? one.parts.map(part).join("\n") : pretty(one)));
}

function part(one) {
  return typeof one?.content === "string" ? one.content : pretty(one);
}

function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function message(role, text) {
  return h("article", { class: "message" }, h("h3", {}, String(role)), h("pre", {}, text));
}
