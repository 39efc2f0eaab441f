/** Charts over time. Dragging selects a time; the legend shows the values at the pointer. */

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { h } from "./dom.js";
import { moment } from "./format.js";

const HEIGHT = 168;
const LEAST_WIDTH = 240;
const AXIS_FONT = "11px system-ui, sans-serif";

export class Chart {
  /**
   * `series`: `{name, label, kind}` with the name of a list of values, and a kind of `bars` or `line`; later bars cover
   * earlier ones. `says`: the list whose values the legend and the table show, if not the one that is drawn.
   * `format`: a function from a value to text. `zoomed`: called with the start and the end of a selection.
   */
  constructor({ title, series, format, zoomed }) {
    this.series = series;
    this.format = format;
    this.zoomed = zoomed;
    this.plot = null;
    this.data = null;
    this.keys = series.map(({ label, name }) => {
      const swatch = h("i", { class: `swatch ${name}` });
      const value = h("b");
      return { swatch, value, element: h("span", { class: "key" }, swatch, label, " ", value) };
    });
    this.when = h("span", { class: "muted when" });
    this.canvas = h("div", { class: "canvas", "aria-hidden": "true" });
    this.table = h("tbody");
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("h3", {}, title), h("div", { class: "legend" }, this.keys.map((key) => key.element), this.when)),
      this.canvas,
      h("details", {}, h("summary", {}, "As a table"), this.asTable(title)));
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.canvas);
    this.element.querySelector("details").addEventListener("toggle", () => this.fillTable());
  }

  asTable(title) {
    const head = h("tr", {}, h("th", { scope: "col" }, "Time"),
      this.series.map(({ label }) => h("th", { scope: "col", class: "number" }, label)));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, as a table` },
      h("table", { class: "plain" }, h("thead", {}, head), this.table));
  }

  update(data) {
    this.data = data;
    this.latest();
    this.fillTable();
    const values = [data.t, ...this.series.map(({ name }) => data[name])];
    if (this.plot === null) this.draw(values);
    else this.plot.setData(values);
  }

  draw(values) {
    if (this.canvas.clientWidth === 0) return;
    this.plot = new uPlot(this.options(), values, this.canvas);
  }

  repaint() {
    this.plot?.destroy();
    this.plot = null;
    if (this.data !== null) this.update(this.data);
  }

  fit() {
    if (this.plot === null && this.data !== null) this.update(this.data);
    this.plot?.setSize({ width: this.width(), height: HEIGHT });
  }

  width() {
    return Math.max(LEAST_WIDTH, this.canvas.clientWidth);
  }

  options() {
    const style = getComputedStyle(this.canvas);
    const grid = { stroke: style.borderTopColor, width: 1 };
    const axis = { stroke: style.color, font: AXIS_FONT, grid, ticks: { show: false } };
    return {
      width: this.width(),
      height: HEIGHT,
      ms: 1,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: true, range: (_, first, last) => [first, last + this.step()] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { ...axis, grid: { show: false }, space: 80, size: 26, values: timeLabels },
        { ...axis, size: 58, space: 34, values: (_, ticks) => ticks.map((tick) => this.format(tick)) },
      ],
      series: [{}, ...this.series.map((one, at) => this.drawn(one, getComputedStyle(this.keys[at].swatch).color))],
      hooks: { setCursor: [() => this.point()], setSelect: [() => this.select()] },
    };
  }

  /** Return the length of an interval: the last one ends that long after its start. */
  step() {
    const [first, second] = this.data.t;
    return second === undefined ? 1_000 : second - first;
  }

  drawn({ label, kind, dash }, colour) {
    if (kind === "bars") return { label, fill: colour, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 32], align: 1, gap: 1 }) };
    return { label, stroke: colour, width: 2, dash, spanGaps: true, points: { size: 4 } };
  }

  point() {
    const at = this.plot?.cursor.idx;
    if (at === null || at === undefined) this.latest();
    else this.say(at);
  }

  /** Show the latest values in the legend. */
  latest() {
    const at = this.data.t.findLastIndex((_, one) => this.series.some(({ name }) => this.data[name][one]));
    this.say(at);
  }

  say(at) {
    for (const [number, { name, says = name }] of this.series.entries()) {
      this.keys[number].value.textContent = at < 0 ? "" : this.format(this.data[says][at]);
    }
    this.when.textContent = at < 0 ? "" : moment(this.data.t[at]);
  }

  select() {
    const { left, width } = this.plot.select;
    if (width < 4) return;
    const [since, until] = [left, left + width].map((place) => Math.round(this.plot.posToVal(place, "x")));
    this.plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.zoomed(since, until);
  }

  fillTable() {
    if (this.data === null || !this.element.querySelector("details").open) return;
    const { t } = this.data;
    const shown = [...t.keys()].filter((at) => this.series.some(({ name }) => this.data[name][at])).reverse();
    this.table.replaceChildren(...shown.map((at) => h("tr", {}, h("td", {}, moment(t[at])),
      this.series.map(({ name, says = name }) => h("td", { class: "number" }, this.format(this.data[says][at]))))));
  }

  remove() {
    this.watcher.disconnect();
    this.plot?.destroy();
  }
}

const HOUR_MS = 3_600_000;

/** Return the labels of a time axis: times of day, with seconds if the steps are short, or dates. */
function timeLabels(plot, ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : HOUR_MS;
  const options = step < 60_000 ? { hour: "2-digit", minute: "2-digit", second: "2-digit" }
    : step < 24 * HOUR_MS ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  const format = new Intl.DateTimeFormat("en-GB", options);
  return ticks.map((tick) => format.format(new Date(tick)));
}
