/** Build elements. Text goes in as text nodes only, so no string of a span becomes markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return a new element. `given`: attributes; functions are listeners (`onclick`), `style` is an object of properties.
 * Values of `false`, `null` and `undefined` are left out. `children`: elements, text, or lists of them.
 */
export function h(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

/** Return a new SVG element. */
export function svg(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "style") styled(element, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The content security policy forbids style attributes, but not the properties of the style object.
function styled(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
}

/** Return a definition list of pairs; pairs without a value are left out. */
export function facts(pairs, given = {}) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", given, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Have screen readers say `text` when they are free. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
