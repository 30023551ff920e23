/** Elements without strings of markup: nothing that is shown can turn into code. */
const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("./icons.svg", import.meta.url).pathname;

/**
 * An element. `class`, `dataset` and `on…` are understood; booleans set or leave attributes out; other names are
 * attributes. Children are nodes, texts, or arrays of them; null and false are left out.
 * @param {string} tag
 * @param {Object} [props]
 * @param {...(Node|string|number|Array|null|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for elements of drawings. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** An icon of the sprite; with `label` it stands alone and says so. */
export function icon(name, label = "") {
  const says = label ? {role: "img", "aria-label": label} : {"aria-hidden": "true"};
  return svg("svg", {class: "icon", ...says}, svg("use", {href: `${SPRITE}#${name}`}));
}

/** Replace what is in an element. */
export function show(host, ...children) {
  host.replaceChildren(...flat(children));
  return host;
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in element) element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
