/** The page: the view that the address names, under one bar of filters, with one feed of new calls. */

import { getAbout, getFacets, paced } from "./api.js";
import { CallView } from "./call_view.js";
import { CallsView } from "./calls_view.js";
import { h } from "./dom.js";
import { noCallsYet } from "./empty_state.js";
import { filterBar } from "./filter_bar.js";
import { count, megabytes, plural } from "./format.js";
import { keyboard, keyList } from "./keyboard.js";
import { Live } from "./live.js";
import { OverviewView } from "./overview_view.js";
import { callsAddress, currentRoute, overviewAddress } from "./route.js";
import { themeSwitch } from "./theme.js";
import { learnCauses } from "./words.js";

const VIEWS = { overview: OverviewView, calls: CallsView, call: CallView };
const TITLES = { overview: "Overview", calls: "Calls", call: "Call" };
const LIVE = { live: "Live", paused: "Paused", offline: "Not connected" };
const ABOUT_MS = 5_000;
const FACETS_MS = 1_000;

const main = document.getElementById("main");
const bar = filterBar(document.getElementById("filters"), setFilter);
let view = null;
let shown = null;
let route = currentRoute();
let address = location.hash;
let empty = false;

function setFilter(filter) {
  goTo(route.view === "overview" ? overviewAddress(filter) : callsAddress(filter));
}

/** Show another address at once: whatever the user does before the browser reports the change builds on it. */
function goTo(next) {
  location.hash = next;
  follow();
}

/** Show the address if it changed. The browser may report that later than the next key. */
function follow() {
  if (location.hash !== address) show();
}

function show() {
  route = currentRoute();
  address = location.hash;
  document.getElementById("to-overview").href = overviewAddress(route.filter);
  document.getElementById("to-calls").href = callsAddress(route.filter);
  mark("to-overview", route.view === "overview");
  mark("to-calls", route.view !== "overview");
  document.title = `${TITLES[route.view]} · l0 view`;
  document.getElementById("filters").hidden = empty || route.view === "call";
  bar.update(route.filter);
  if (empty) return;
  const first = shown === null;
  if (shown !== route.view) {
    view?.leave();
    main.replaceChildren();
    shown = route.view;
    view = new VIEWS[shown](main, { failed, setFilter });
    if (shown !== "calls") scrollTo(0, 0);
    if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
  }
  hideError();
  view.update(route);
}

function mark(id, current) {
  const link = document.getElementById(id);
  if (current) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

function failed(error) {
  hideError();
  main.prepend(h("p", { class: "problem", role: "alert", id: "problem" }, error.message));
}

function hideError() {
  document.getElementById("problem")?.remove();
}

const refreshFacets = paced(async () => {
  try {
    bar.setFacets(await getFacets());
  } catch (error) {
    failed(error);
  }
}, FACETS_MS);

const refreshAbout = paced(async () => {
  try {
    const about = await getAbout();
    learnCauses(about.causes);
    document.getElementById("footer").textContent = [
      `l0 ${about.version}`,
      `${plural(about.calls, "call")} in ${megabytes(about.bytes)} kept`,
      `at most ${count(about.max_calls)} calls and ${megabytes(about.max_bytes)}`,
      "only on this machine",
    ].join(" · ");
    setEmpty(about.calls === 0);
  } catch (error) {
    failed(error);
  }
}, ABOUT_MS);

function setEmpty(isEmpty) {
  if (isEmpty === empty) return;
  empty = isEmpty;
  view?.leave();
  view = shown = null;
  main.replaceChildren(...(empty && route.view !== "call" ? [noCallsYet()] : []));
  if (empty && route.view === "call") empty = false;
  show();
}

function arrived(message) {
  if (empty) setEmpty(false);
  hideError();
  view?.arrived(message.calls);
  refreshAbout();
  if (message.calls.some(bar.lacks)) refreshFacets();
}

const pause = document.getElementById("pause");
const live = new Live({
  arrived,
  resumed() {
    view?.arrived([]);
    refreshAbout();
    refreshFacets();
  },
  changed(state) {
    const text = document.getElementById("live-state");
    text.textContent = LIVE[state];
    text.dataset.state = state;
  },
});
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", String(paused));
  live.pause(paused);
});

themeSwitch(document.getElementById("theme"), () => view?.repaint?.());
const showKeys = keyList();
document.getElementById("help").addEventListener("click", showKeys);
keyboard(
  {
    j: () => view?.move?.(1),
    k: () => view?.move?.(-1),
    "/": () => {
      if (route.view === "call") goTo(callsAddress(route.filter));
      document.getElementById("filters").hidden = false;
      bar.search.focus();
    },
    1: () => goTo(overviewAddress(route.filter)),
    2: () => goTo(callsAddress(route.filter)),
    p: () => pause.click(),
    r: () => view?.replay?.(),
    ".": () => view?.step?.(),
    "?": showKeys,
  },
  follow,
  (event) => {
    if (event.target === bar.search) bar.search.blur();
    else view?.escape?.();
  },
);
addEventListener("hashchange", follow);
show();
refreshAbout();
refreshFacets();
