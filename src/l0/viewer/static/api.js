/** Requests to the JSON API (`api_contract.py`). */

export class ApiError extends Error {}

export const getAbout = () => get("api/about");
export const getFacets = () => get("api/facets");
export const getOverview = (parameters) => get("api/overview", parameters);
export const getCalls = (parameters) => get("api/calls", parameters);
export const getCall = (trace, span) => get(callPath(trace, span));
export const getRecording = (trace, span) => get(`${callPath(trace, span)}/recording`);
/** `part`: "request" or "answer". */
export const getRecordedPart = (trace, span, attempt, part, offset) =>
  get(`${callPath(trace, span)}/recording/${attempt}/${part}`, new URLSearchParams({ offset }));

function callPath(trace, span) {
  return `api/calls/${encodeURIComponent(trace)}/${encodeURIComponent(span)}`;
}

async function get(path, parameters = new URLSearchParams()) {
  const query = parameters.toString();
  let answer;
  try {
    answer = await fetch(query ? `${path}?${query}` : path);
  } catch {
    throw new ApiError("l0 view does not answer. Is it still running?");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new ApiError(body?.error ?? `l0 view answered with status ${answer.status}`);
}

/**
 * Return a function that runs `task` soon. Requests in between are joined, and the pause between two runs is at least
 * `pauseMs` and three times as long as the last run took, so that an open page cannot keep the server busy.
 */
export function paced(task, pauseMs) {
  let state = "idle";
  async function run() {
    state = "running";
    const began = performance.now();
    await task();
    const again = state === "wanted";
    state = "resting";
    setTimeout(() => {
      const wanted = again || state === "wanted";
      state = "idle";
      if (wanted) run();
    }, Math.max(pauseMs, 3 * (performance.now() - began)));
  }
  return () => {
    if (state === "idle") run();
    else state = "wanted";
  };
}
