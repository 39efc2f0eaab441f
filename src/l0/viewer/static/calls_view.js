/** The calls as a table, newest first or in another order. Further ones are added at its end, new ones at its start. */

import { getCalls, paced } from "./api.js";
import { announce, h } from "./dom.js";
import { nothingMatches } from "./empty_state.js";
import { count, duration, fullMoment, moment, plural } from "./format.js";
import { apiParameters, callAddress, changed } from "./route.js";
import { causeMeaning, outcomeKind, outcomeMark, outcomeWords, providerAndModel } from "./words.js";

const PAGE = 100;
const REFRESH_MS = 500;
const AT_TOP_PX = 120;
const COLUMNS = [
  ["Time", "", "start"], ["Outcome", ""], ["Model", ""], ["Attempts", "attempts"], ["Cause", "cause"],
  ["First token", "number first", "first_token"], ["Duration", "number", "duration"], ["Longest gap", "number gap"], ["Tokens in", "number tokens"],
  ["Tokens out", "number tokens"], ["Service", "service"],
];

const ORDERS = {
  start: { desc: "newest first", asc: "oldest first" },
  first_token: { desc: "longest time to the first token first", asc: "shortest time to the first token first" },
  duration: { desc: "longest first", asc: "shortest first" },
};

/** The table as the user left it: to show it again after a call, and to find the neighbours of a call. */
let memory = null;

/** Return the addresses of the neighbours of a call in the table as it was last shown. */
export function neighbours(call, filter) {
  const calls = memory?.calls ?? [];
  const at = calls.findIndex((one) => one.span_id === call.span_id && one.trace_id === call.trace_id);
  const address = (one) => (at >= 0 && one ? callAddress(one, filter) : null);
  return { newer: address(calls[at - 1]), older: address(calls[at + 1]) };
}

export class CallsView {
  constructor(root, { failed, setFilter }) {
    this.failed = failed;
    this.setFilter = setFilter;
    this.calls = [];
    this.rows = new Map();
    this.next = null;
    this.waiting = null;
    this.loading = 0;
    this.refresh = paced(() => this.findNew(), REFRESH_MS);
    this.build(root);
  }

  build(root) {
    this.title = h("h1", { tabindex: "-1" }, "Calls");
    this.total = h("p", { class: "muted total" });
    this.fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: () => this.showWaiting() });
    this.body = h("tbody");
    this.heads = new Map();
    const head = h("tr", {}, COLUMNS.map(([name, kind, column]) => {
      const label = column ? h("button", { type: "button", class: "sort", onclick: () => this.sortBy(column) }, name) : name;
      const cell = h("th", { scope: "col", class: kind }, label);
      if (column) this.heads.set(column, cell);
      return cell;
    }));
    this.table = h("table", { class: "calls", "aria-label": "Calls" }, h("thead", {}, head), this.body);
    this.none = h("div");
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.older() }, "Show older calls");
    root.replaceChildren(
      h("div", { class: "title" }, this.title, this.total, this.fresh), this.table, this.none,
      h("p", { class: "more" }, this.more));
    this.watcher = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.older(), {
      rootMargin: "400px",
    });
    this.watcher.observe(this.more);
    root.addEventListener("keydown", this.onKey = (event) => this.arrows(event));
    this.root = root;
  }

  /** Show the calls of a filter. When the user comes back from a call, the table is as it was. */
  async update({ filter }) {
    const query = filter.toString();
    const back = this.query === undefined && memory?.query === query ? memory : null;
    this.filter = filter;
    this.query = query;
    this.showOrder();
    if (back === null) {
      await this.load();
      return;
    }
    this.show(back.calls, back.next, back.total);
    scrollTo(0, back.scroll);
    this.rows.get(back.key)?.querySelector("a").focus({ preventScroll: true });
    this.refresh();
  }

  get order() {
    const sort = ORDERS[this.filter.get("sort")] ? this.filter.get("sort") : "start";
    return { sort, order: this.filter.get("order") === "asc" ? "asc" : "desc" };
  }

  /** Sort by a column; a second time the other way round. */
  sortBy(column) {
    const now = this.order;
    const order = now.sort === column && now.order === "desc" ? "asc" : "";
    this.setFilter(changed(this.filter, { sort: column === "start" ? "" : column, order }));
  }

  showOrder() {
    const { sort, order } = this.order;
    for (const [column, cell] of this.heads) {
      if (column === sort) cell.setAttribute("aria-sort", order === "asc" ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    }
    this.newestFirst = sort === "start" && order === "desc";
    this.table.setAttribute("aria-label", `Calls, ${ORDERS[sort][order]}`);
    this.more.textContent = this.newestFirst ? "Show older calls" : "Show more calls";
  }

  async load() {
    const turn = ++this.loading;
    const page = await this.fetch();
    if (turn !== this.loading || page === null) return;
    this.show(page.calls, page.next, page.total);
    performance.mark("calls-shown");
    announce(plural(page.total, "call"));
  }

  async fetch(cursor = null) {
    const parameters = apiParameters(this.filter);
    parameters.set("limit", String(PAGE));
    if (cursor !== null) parameters.set("cursor", cursor);
    try {
      return await getCalls(parameters);
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  async older() {
    if (this.next === null || this.fetching) return;
    this.fetching = true;
    const turn = this.loading;
    const page = await this.fetch(this.next);
    this.fetching = false;
    if (page === null || turn !== this.loading) return;
    this.show([...this.calls, ...page.calls], page.next, this.count);
    // An observer reports changes only. Observed anew, it also reports a button that is still in the window.
    this.watcher.unobserve(this.more);
    this.watcher.observe(this.more);
  }

  /** Fetch new calls that match. They are shown at once only if that does not move the rows that the user looks at. */
  async findNew() {
    const turn = this.loading;
    const page = await this.fetch();
    if (page === null || turn !== this.loading || this.left) return;
    const added = page.calls.filter((call) => !this.rows.has(key(call)));
    if (!added.length && page.total === this.count) return;
    this.waiting = { page, added };
    if (scrollY < AT_TOP_PX && !this.body.contains(document.activeElement)) this.showWaiting();
    else this.offer(added.length);
  }

  offer(number) {
    this.fresh.hidden = number === 0;
    this.fresh.textContent = number < PAGE ? `Show ${plural(number, "new call")}` : `Show ${PAGE} or more new calls`;
  }

  showWaiting() {
    if (this.waiting === null) return;
    const { page, added } = this.waiting;
    const held = document.activeElement === this.fresh;
    this.waiting = null;
    this.fresh.hidden = true;
    // If the pages meet, older calls stay. Otherwise the table starts again, as there may be a gap between them. A call
    // that took long arrives after calls that began later, so the page decides on the order.
    const newest = new Set(page.calls.map(key));
    // In another order the table always starts again, as a new call may belong anywhere.
    const older = this.newestFirst && added.length < page.calls.length ? this.calls.filter((call) => !newest.has(key(call))) : [];
    this.show([...page.calls, ...older], older.length ? this.next : page.next, page.total);
    for (const call of added) this.rows.get(key(call)).classList.add("new");
    announce(news(added));
    if (!held) return;
    scrollTo(0, 0);
    this.select(0);
  }

  show(calls, next, total) {
    const rows = new Map(calls.map((call) => [key(call), this.rows.get(key(call)) ?? this.row(call)]));
    place(this.body, [...rows.values()]);
    Object.assign(this, { calls, rows, next, count: total });
    for (const call of calls) rows.get(key(call)).querySelector("a").href = callAddress(call, this.filter);
    this.total.textContent = calls.length < total ? `${count(calls.length)} of ${plural(total, "call")}` : plural(total, "call");
    this.more.hidden = next === null;
    this.table.hidden = calls.length === 0;
    this.none.replaceChildren(...(calls.length ? [] : [nothingMatches(() => this.setFilter(new URLSearchParams()))]));
  }

  row(call) {
    const [provider, model] = providerAndModel(call);
    const tokens = [call.input_tokens, call.output_tokens];
    const cells = [
      h("a", { href: "#", title: fullMoment(call.start) }, moment(call.start)),
      outcomeMark(call.outcome),
      [h("span", { class: "model" }, model), " ", h("span", { class: "muted provider" }, provider)],
      attemptDots(call),
      call.cause && h("span", { title: causeMeaning(call.cause) ?? "" }, call.cause),
      duration(call.first_token), duration(call.duration), duration(call.gap_max),
      ...tokens.map(count),
      call.service,
    ];
    return h("tr", { class: outcomeKind(call.outcome) }, cells.map((cell, at) => h("td", { class: COLUMNS[at][1] }, cell)));
  }

  arrows(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (!this.body.contains(event.target)) return;
    event.preventDefault();
    this.move(event.key === "ArrowDown" ? 1 : -1);
  }

  /** Select the next (1) or the previous (-1) call. */
  move(step) {
    const rows = [...this.body.children];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    this.select(at < 0 ? 0 : at + step);
  }

  select(at) {
    const row = this.body.children[Math.max(0, Math.min(at, this.body.children.length - 1))];
    row?.querySelector("a").focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  escape() {
    if (this.body.contains(document.activeElement)) this.title.focus();
  }

  arrived() {
    this.refresh();
  }

  leave() {
    const row = document.activeElement?.closest("tr");
    const held = [...this.rows].find(([, one]) => one === row)?.[0] ?? null;
    memory = { query: this.query, calls: this.calls, next: this.next, total: this.count, scroll: scrollY, key: held };
    this.left = true;
    this.loading += 1;
    this.watcher.disconnect();
    this.root.removeEventListener("keydown", this.onKey);
  }
}

function key(call) {
  return `${call.trace_id}/${call.span_id}`;
}

/** Make `rows` the children of `body`. Rows that stay are not moved, so that they keep the focus. */
function place(body, rows) {
  const kept = new Set(rows);
  for (const row of [...body.children]) if (!kept.has(row)) row.remove();
  let at = body.firstChild;
  for (const row of rows) {
    if (row === at) at = at.nextSibling;
    else body.insertBefore(row, at);
  }
}

function news(calls) {
  const failed = calls.filter((call) => call.outcome === "failed").length;
  return failed ? `${plural(calls.length, "new call")}, ${failed} ${outcomeWords("failed")}` : plural(calls.length, "new call");
}

const MOST_DOTS = 6;

function attemptDots({ attempts, outcome }) {
  const dots = Array.from({ length: Math.min(attempts, MOST_DOTS) }, (_, at) =>
    h("i", { class: at === attempts - 1 ? `dot ${outcomeKind(outcome)}` : "dot lost" }));
  return [h("span", { class: "count" }, String(attempts)), h("span", { class: "dots", "aria-hidden": "true" }, attempts > 1 ? dots : [])];
}
