/** The state of all calls that match: success, what recovery masked, speed over time, causes and error budgets. */

import { getOverview, paced } from "./api.js";
import { Chart } from "./charts.js";
import { h } from "./dom.js";
import { nothingMatches } from "./empty_state.js";
import { count, duration, NONE, percent, plural } from "./format.js";
import { apiParameters, callsAddress, changed, unordered } from "./route.js";
import { causeMeaning, causesKnown, providerAndModel } from "./words.js";

const REFRESH_MS = 1_000;
/** The urgency of a budget that is not in danger; 0 and 1: a page or a ticket burns, 2: spent, or used up too fast. */
const CALM = 3;
const PARTS = [["first-try", "ok at the first attempt"], ["recovered", "recovered"], ["failed", "failed"], ["cancelled", "cancelled by the program"]];
const COLUMNS = [
  ["Model", ""], ["Calls", "number"], ["Outcomes", "share"], ["Users saw", "number"], ["Attempts", "number"],
  ["Recovered", "number"], ["Failed", "number"], ["First token p50", "number first"], ["p95", "number first"],
  ["p99", "number first"], ["Gap p95 of each call: p50", "number gap"], ["p95", "number gap"], ["p99", "number gap"],
  ["Tokens in", "number tokens"], ["Tokens out", "number tokens"],
];

export class OverviewView {
  constructor(root, { failed, setFilter }) {
    this.failed = failed;
    this.setFilter = setFilter;
    this.turn = 0;
    this.refresh = paced(() => this.load(), REFRESH_MS);
    const zoomed = (since, until) =>
      setFilter(changed(this.filter, { since: String(since), until: String(until), last: "" }));
    this.charts = [
      new Chart({ title: "Calls", format: count, zoomed, series: [
        { name: "calls", label: "calls", kind: "bars" }, { name: "broken", says: "recovered", label: "recovered", kind: "bars" },
        { name: "failed", label: "failed", kind: "bars" }] }),
      new Chart({ title: "First token", format: duration, zoomed, series: [
        { name: "first_token_p95", label: "p95", kind: "line", dash: [5, 3] }, { name: "first_token_p50", label: "p50", kind: "line" }] }),
      new Chart({ title: "Gap p95 of each call", format: duration, zoomed, series: [
        { name: "gap_p95", label: "p95", kind: "line", dash: [5, 3] }] }),
    ];
    this.build(root);
  }

  build(root) {
    this.success = h("section", { class: "success", "aria-label": "Success" });
    this.models = h("section", { "aria-labelledby": "models-title" });
    this.causes = h("section", { "aria-labelledby": "causes-title" });
    this.budgets = h("section", { "aria-labelledby": "budgets-title" });
    this.none = h("div");
    this.all = h("div", { class: "overview", hidden: true }, this.success,
      h("section", { class: "charts", "aria-label": "Over time" }, this.charts.map((chart) => chart.element)),
      this.models, h("div", { class: "pair" }, this.causes, this.budgets));
    root.replaceChildren(h("h1", { tabindex: "-1", class: "unseen" }, "Overview"), this.none, this.all);
  }

  update({ filter }) {
    this.filter = filter;
    return this.load();
  }

  async load() {
    const turn = ++this.turn;
    try {
      const [overview] = await Promise.all([getOverview(apiParameters(unordered(this.filter))), causesKnown]);
      if (turn === this.turn) this.show(overview);
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    }
  }

  show({ totals, rows, series, causes, budgets }) {
    this.all.hidden = totals.calls === 0;
    this.none.replaceChildren(...(totals.calls ? [] : [nothingMatches(() => this.setFilter(new URLSearchParams()))]));
    if (totals.calls === 0) return;
    this.success.replaceChildren(...this.successParts(totals));
    const broken = series.recovered.map((recovered, at) => recovered + series.failed[at]);
    for (const chart of this.charts) chart.update({ ...series, broken });
    replaceKeepingFocus(this.models, [h("h2", { id: "models-title" }, "Providers and models"), this.table(rows)]);
    replaceKeepingFocus(this.causes, this.causeParts(causes));
    replaceKeepingFocus(this.budgets, budgetParts(budgets, opened(this.budgets)));
  }

  successParts(totals) {
    const { calls, attempts } = totals;
    const [seen, tried] = shares(totals);
    return [
      figure(percent(seen), "of calls succeeded", "as users saw it", "seen"),
      figure(percent(tried), "of attempts succeeded", "as providers served them", "tried"),
      h("div", { class: "story" }, h("p", { class: "lead" }, lead(totals)), shareBar(totals), legend(totals), h("p", { class: "muted" }, `${plural(calls, "call")} took ${plural(attempts, "request")}.`), cost(totals)),
    ];
  }

  table(rows) {
    const groups = h("tr", {}, COLUMNS.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "models-title" },
      h("table", { class: "models" }, h("thead", {}, groups), h("tbody", {}, rows.map((row) => this.row(row)))));
  }

  row(row) {
    const [provider, model] = providerAndModel(row);
    const [seen, tried] = shares(row);
    const to = (values) => callsAddress(changed(this.filter, { provider: row.provider, model: row.model, ...values }));
    const link = (number, outcome) => (number ? h("a", { href: to({ outcome }) }, count(number)) : h("span", { class: "muted" }, "0"));
    const cells = [
      h("a", { href: to({}) }, h("span", { class: "model" }, model), " ", h("span", { class: "muted provider" }, provider)),
      count(row.calls), shareBar(row), percent(seen), percent(tried), link(row.recovered, "recovered"), link(row.failed, "failed"),
      ...["first_token_p50", "first_token_p95", "first_token_p99", "gap_p50", "gap_p95", "gap_p99"].map((name) => duration(row[name])),
      count(row.input_tokens), count(row.output_tokens),
    ];
    return h("tr", {}, cells.map((cell, at) => h(at ? "td" : "th", { class: COLUMNS[at][1], scope: at ? null : "row" }, cell)));
  }

  causeParts(causes) {
    const most = Math.max(...causes.map((one) => one.count), 1);
    const item = (one) => {
      const bar = h("span", { class: "bar", "aria-hidden": "true", style: { width: `${(100 * one.count) / most}%` } });
      const link = h("a", { href: callsAddress(changed(this.filter, { cause: one.cause })) }, one.cause);
      return h("li", {}, h("span", { class: "name" }, link, h("span", { class: "muted" }, causeMeaning(one.cause) ?? "")),
        h("span", { class: "number" }, count(one.count)), h("span", { class: "track" }, bar));
    };
    const list = causes.length ? h("ol", { class: "causes" }, causes.map(item)) : h("p", { class: "muted" }, "No attempt failed.");
    return [h("h2", { id: "causes-title" }, "Why attempts failed"), list];
  }

  arrived() {
    this.refresh();
  }

  repaint() {
    for (const chart of this.charts) chart.repaint();
  }

  leave() {
    this.turn += 1;
    for (const chart of this.charts) chart.remove();
  }
}

/** Return the success of calls as users saw it, and that of attempts. */
function shares({ calls, cancelled, succeeded, attempts, attempts_failed: lost }) {
  return [calls > cancelled ? succeeded / (calls - cancelled) : null, attempts ? 1 - lost / attempts : null];
}

/** Return what requests after the first one of each call cost, and who sent them. */
function cost({ calls, attempts, sdk_retries: repeated, recovery_time: time, wasted_tokens: wasted, unknown_waste: unknown }) {
  const more = attempts - calls;
  if (more <= 0) return null;
  const added = repeated === null ? "" : `: ${count(Math.min(repeated, more))} that the SDK's own retries would have sent too, ${count(Math.max(0, more - repeated))} added by L0`;
  const parts = [`${plural(more, "request")} more than calls${added}`];
  if (time) parts.push(`${duration(time)} in failed attempts and waits`);
  const notKnown = unknown ? `unknown for ${plural(unknown, "call")}` : "";
  if (wasted !== null) parts.push(`${plural(wasted, "token")} spent on attempts that served nothing${notKnown && `, ${notKnown}`}`);
  else if (notKnown) parts.push(`tokens spent on attempts that served nothing: ${notKnown}`);
  return h("p", { class: "muted" }, `${parts.join("; ")}.`);
}

/** Return in a sentence how many calls broke, and what recovery made of them. */
function lead({ recovered, failed }) {
  const broke = `${plural(recovered + failed, "call")} broke`;
  if (recovered + failed === 0) return "No call broke.";
  if (recovered === 0) return `${broke} and reached the user as an error.`;
  if (failed === 0) return `${broke}. ${recovered === 1 ? "It was" : "All of them were"} recovered.`;
  return `${broke}. ${count(recovered)} recovered, and ${count(failed)} reached the user as an error.`;
}

function figure(value, what, how, kind) {
  return h("p", { class: `figure ${kind}` }, h("strong", {}, value), h("span", {}, what), h("span", { class: "muted" }, how));
}

function parts({ calls, succeeded, recovered, failed, cancelled }) {
  return [succeeded - recovered, recovered, failed, cancelled].map((number) => (calls ? number / calls : 0));
}

function shareBar(row) {
  const sizes = parts(row);
  const text = PARTS.map(([, words], at) => `${words}: ${percent(sizes[at])}`).join(", ");
  return h("span", { class: "shares", role: "img", "aria-label": text, title: text },
    sizes.map((size, at) => size > 0 && h("i", { class: PARTS[at][0], style: { "flex-grow": String(size) } })));
}

function legend(totals) {
  const sizes = parts(totals);
  return h("p", { class: "legend", "aria-hidden": "true" },
    PARTS.filter((_, at) => sizes[at] > 0).map(([kind, words]) => h("span", { class: "key" }, h("i", { class: `swatch fill ${kind}` }), words)));
}

/** Return the keys of the details that are open in `root`. */
function opened(root) {
  return new Set([...root.querySelectorAll("details[open]")].map((one) => one.dataset.key));
}

function budgetParts(states, open) {
  const title = h("h2", { id: "budgets-title" }, "Error budgets");
  if (!states.length) {
    return [title, h("p", { class: "muted" }, "No objective was reported in the last five minutes. l0.slo defines objectives; their budgets and burn rates appear here.")];
  }
  const budgets = [...Map.groupBy(states, budgetKey)].map(([key, windows]) => budgetOf(key, windows));
  budgets.sort((one, other) => one.urgency - other.urgency || (other.worst.burn_rate ?? 0) - (one.worst.burn_rate ?? 0));
  const urgent = budgets.filter((one) => one.urgency < CALM);
  const others = budgets.filter((one) => one.urgency === CALM);
  const inDanger = new Set(urgent.map((one) => one.slo));
  const within = new Set(others.map((one) => one.slo).filter((slo) => !inDanger.has(slo)));
  const label = within.size ? `${plural(within.size, "objective")} within budget` : "Other providers and models";
  const fold = others.length && h("details", { open: open.has("within"), "data-key": "within" }, h("summary", { "data-key": "within" }, label), budgetTable(others, open));
  return [title, urgent.length ? budgetTable(urgent, open) : null, fold || null].filter(Boolean);
}

function budgetKey({ service, provider, model, slo, layer }) {
  return JSON.stringify([slo, provider, model, layer, service]);
}

/** Return the budget of one objective at one provider and model. `worst`: the window of the alert that fires, or of the highest burn rate. */
function budgetOf(key, windows) {
  const { slo, layer, provider, model, service } = windows[0];
  const byRate = windows.toSorted((one, other) => (other.burn_rate ?? -1) - (one.burn_rate ?? -1));
  const worst = windows.find((one) => one.severity !== null) ?? byRate[0];
  const remaining = windows.find((one) => one.remaining !== null) ?? null;
  const spent = (remaining?.remaining ?? 1) <= 0 || (byRate[0].burn_rate ?? 0) > 1;
  const urgency = worst.severity === "page" ? 0 : worst.severity !== null ? 1 : spent ? 2 : CALM;
  return { key, slo, names: [layer, provider, model, service].filter((part) => part && part !== slo), byRate, worst, remaining, urgency };
}

function budgetTable(budgets, open) {
  const head = ["Objective", "Budget left", "Burn rate"];
  const rows = budgets.map((one) => h("tr", {},
    h("th", { scope: "row" }, one.slo, " ", h("span", { class: "muted" }, one.names.join(", "))),
    h("td", { class: "number" }, one.remaining === null ? NONE : [meter(one.remaining.remaining), one.remaining.window && h("span", { class: "muted" }, ` of ${one.remaining.window}`)]),
    h("td", { class: "number" }, burnCell(one, open))));
  return h("table", { class: "plain" }, h("thead", {}, h("tr", {}, head.map((name, at) => h("th", { scope: "col", class: at ? "number" : "" }, name)))), h("tbody", {}, rows));
}

/** The burn rate of the worst window. Those of the others are shown on demand. */
function burnCell({ key, byRate, worst }, open) {
  const known = byRate.filter((one) => one.burn_rate !== null);
  const shown = [burn(worst), known.length > 1 && worst.window ? ` in ${worst.window}` : null];
  if (known.length < 2) return shown;
  const list = h("ul", { class: "windows" }, known.map((one) => h("li", {}, `${one.window ?? NONE}: ${rate(one.burn_rate)}`)));
  return h("details", { open: open.has(key), "data-key": key }, h("summary", { "data-key": key }, shown), list);
}

function meter(remaining) {
  if (remaining === null) return NONE;
  const left = Math.max(0, Math.min(1, remaining));
  const spent = remaining <= 0;
  return [h("span", { class: "track small", "aria-hidden": "true" }, h("span", { class: spent ? "bar failed" : "bar", style: { width: `${100 * left}%` } })),
    " ", spent ? (remaining < 0 ? `spent ${times(1 - remaining)}` : "spent") : percent(remaining)];
}

function times(factor) {
  return `${factor < 10 ? factor.toFixed(1) : count(Math.round(factor))}×`;
}

function rate(value) {
  return value >= 0.05 ? times(value) : value > 0 ? "under 0.1×" : "0";
}

/** A burn rate above 1, in the colour of the alert that fires; none fires at most rates that are just above 1. */
function burn({ burn_rate: value, severity }) {
  if (value === null) return NONE;
  if (value <= 1) return rate(value);
  return [h("strong", { class: severity === "page" ? "failed" : severity ?? "" }, `${times(value)} allowed`), severity && ` (${severity})`];
}

/** Replace the children of `root`. A link that has the focus gives it to the link of the same address, and so do details. */
function replaceKeepingFocus(root, children) {
  const held = root.contains(document.activeElement) ? document.activeElement : null;
  root.replaceChildren(...children);
  if (held === null) return;
  const identity = (one) => one.getAttribute("href") ?? one.dataset.key;
  const same = [...root.querySelectorAll("a, [tabindex], summary")].find((one) => identity(one) === identity(held));
  same?.focus({ preventScroll: true });
}
