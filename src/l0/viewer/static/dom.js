/** Build elements. Text goes in as text nodes only, so no string of a span becomes markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return a new element. `attributes`: values by name; functions are listeners (`onclick`), `style` is an object of properties.
 * Values of `false`, `null` and `undefined` are left out. `children`: elements, text, or lists of them.
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return a new SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
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
export function facts(pairs, attributes = {}) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", attributes, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Have screen readers read `text` when they are idle. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
