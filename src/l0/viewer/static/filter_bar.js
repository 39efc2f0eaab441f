/** The filters above the views: a search, a list for each property of calls, the duration and the time. */

import { h } from "./dom.js";
import { duration, moment } from "./format.js";
import { changed, FILTERS } from "./route.js";
import { outcomeWords } from "./words.js";

const SEARCH_PAUSE_MS = 250;
const TIMES = [["", "all times"], ["5m", "last 5 minutes"], ["1h", "last hour"], ["24h", "last 24 hours"], ["7d", "last 7 days"]];
const DURATIONS_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
const SEARCHED = "Ids of traces, spans, responses and requests; models, causes, error types, services";
const LISTS = [
  ["provider", "Provider", "providers"],
  ["model", "Model", "models"],
  ["outcome", "Outcome", "outcomes"],
  ["cause", "Cause", "causes"],
  ["service", "Service", "services"],
];

/** Return the bar. `apply` is called with each new filter. */
export function filterBar(root, apply) {
  let filter = new URLSearchParams();
  let pending = 0;
  const set = (values) => apply(changed(filter, values));
  const search = h("input", {
    type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: "Search ids, models, causes",
    title: SEARCHED,
    "aria-keyshortcuts": "/",
    oninput: () => {
      clearTimeout(pending);
      pending = setTimeout(() => set({ q: search.value.trim() }), SEARCH_PAUSE_MS);
    },
  });
  const time = h("select", { id: "filter-time", onchange: () => set({ last: time.value, since: "", until: "" }) });
  const lists = LISTS.map(([name, label, of]) => {
    const select = h("select", { id: `filter-${name}`, onchange: () => set({ [name]: select.value }) });
    return { name, label, of, select };
  });
  const least = h("select", { id: "filter-min-duration", onchange: () => set({ min_duration: least.value }) });
  const clear = h("button", { type: "button", onclick: () => apply(new URLSearchParams()) }, "Clear");
  root.append(
    labelled("Search", search, "grow"),
    ...lists.map(({ label, select }) => labelled(label, select)),
    labelled("Duration", least),
    labelled("Time", time),
    clear,
  );
  let facets = null;
  function show() {
    if (document.activeElement !== search) search.value = filter.get("q") ?? "";
    for (const { name, of, select } of lists) showList(select, name, facets?.[of] ?? [], filter.get(name) ?? "");
    showLeast(least, filter.get("min_duration") ?? "");
    showTime(time, filter);
    clear.hidden = !FILTERS.some((name) => filter.has(name));
  }
  return {
    search,
    update(next) {
      filter = next;
      show();
    },
    setFacets(next) {
      facets = next;
      show();
    },
    /** True if a call has a value that the lists do not offer yet. */
    lacks(call) {
      return facets !== null && LISTS.some(([name, , of]) => call[name] && !facets[of].includes(call[name]));
    },
  };
}

function labelled(label, control, kind = "") {
  return h("div", { class: `field ${kind}` }, h("label", { for: control.id }, label), control);
}

function showList(select, name, values, chosen) {
  const options = [["", "all"], ...(name === "outcome" ? [["recovered", "recovered (any)"]] : [])];
  options.push(...values.map((value) => [value, name === "outcome" ? outcomeWords(value) : value]));
  if (!options.some(([value]) => value === chosen)) options.push([chosen, chosen]);
  fill(select, options, chosen);
}

function showLeast(select, chosen) {
  const options = [["", "any"], ...DURATIONS_MS.map((ms) => [String(ms), `${duration(ms)} or more`])];
  if (!options.some(([value]) => value === chosen)) options.push([chosen, `${duration(Number(chosen))} or more`]);
  fill(select, options, chosen);
}

function showTime(select, filter) {
  const [since, until] = [filter.get("since"), filter.get("until")];
  const chosen = since || until ? "range" : (filter.get("last") ?? "");
  const range = [since, until].map((time) => (time ? moment(Number(time)) : "…")).join(" to ");
  fill(select, chosen === "range" ? [...TIMES, ["range", range]] : TIMES, chosen);
}

function fill(select, options, chosen) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
    select.dataset.options = key;
  }
  select.value = chosen;
  select.classList.toggle("set", chosen !== "");
}
