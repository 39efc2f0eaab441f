/** The address of the page: `#/`, `#/calls` or `#/calls/TRACE/SPAN`, with the filter after a question mark. */

import { RECOVERED } from "./words.js";

export const FILTERS = ["q", "provider", "model", "outcome", "cause", "service", "min_duration", "last", "since", "until"];
const ORDER = ["sort", "order"];
const MINUTES = { "5m": 5, "1h": 60, "24h": 1_440, "7d": 10_080 };

/** Return the view, the ids of a call, and the filter that the address names. */
export function currentRoute() {
  const [path, query = ""] = splitOnce(location.hash.replace(/^#\/?/, ""), "?");
  const [view, trace, span] = path.split("/").map(decoded);
  const given = new URLSearchParams(query);
  const filter = new URLSearchParams();
  for (const name of [...FILTERS, ...ORDER]) for (const value of given.getAll(name)) if (value) filter.append(name, value);
  if (view === "calls" && trace && span) return { view: "call", trace, span, filter };
  return { view: view === "calls" ? "calls" : "overview", filter };
}

export function overviewAddress(filter) {
  return address("#/", filter);
}

export function callsAddress(filter) {
  return address("#/calls", filter);
}

export function callAddress(call, filter) {
  return address(`#/calls/${encodeURIComponent(call.trace_id)}/${encodeURIComponent(call.span_id)}`, filter);
}

function address(path, filter) {
  const query = filter.toString();
  return query ? `${path}?${query}` : path;
}

/** Return the filter with the given values in place of its own; an empty value removes one. */
export function changed(filter, values) {
  const next = new URLSearchParams(filter);
  for (const [name, value] of Object.entries(values)) {
    next.delete(name);
    if (value) next.set(name, value);
  }
  next.sort();
  return next;
}

/** Return the filter without the order of the list of calls. */
export function unordered(filter) {
  return changed(filter, { sort: "", order: "" });
}

/** Return the parameters of the API for a filter. Relative times count back from now. */
export function apiParameters(filter) {
  const parameters = new URLSearchParams();
  for (const [name, value] of filter) {
    if (name === "outcome" && value === "recovered") for (const one of RECOVERED) parameters.append(name, one);
    else if (name === "last" && value in MINUTES) parameters.set("since", String(Date.now() - MINUTES[value] * 60_000));
    else if (name !== "last") parameters.append(name, value);
  }
  return parameters;
}

function splitOnce(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
