// A drawing that is kept: what is drawn again under the same key changes, so that it can move from old to new.

// @ts-check

/**
 * @typedef {object} Shape
 * @property {string} key
 * @property {string} tag
 * @property {Record<string, string | number | null | undefined>} attributes
 * @property {string} [text]
 * @property {Shape[]} [inside]
 * @property {() => string} [tip] what is said of it where the pointer is over it
 * @property {() => void} [act] what a click on it does
 */

/** @typedef {{ shape: Shape, of: Map<string, Element> }} Kept */

const SVG = "http://www.w3.org/2000/svg";

/** @type {WeakMap<Element, Kept>} */
const kept = new WeakMap();

/** @type {(element: Element, shape: Shape) => void} */
const dress = (element, shape) => {
  const before = kept.get(element)?.shape.attributes ?? {};
  for (const [name, value] of Object.entries(shape.attributes)) {
    if (before[name] === value) continue;
    if (value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, String(value));
  }
  for (const name of Object.keys(before)) if (!(name in shape.attributes)) element.removeAttribute(name);
  if (shape.text !== undefined && element.textContent !== shape.text) element.textContent = shape.text;
};

// Let an element have just these shapes in it, in this order.
/** @type {(parent: Element, shapes: Shape[]) => void} */
export const draw = (parent, shapes) => {
  const known = kept.get(parent)?.of ?? new Map();
  /** @type {Map<string, Element>} */
  const now = new Map();
  let after = null;
  for (const shape of shapes) {
    const old = known.get(shape.key);
    const element = old?.tagName === shape.tag ? old : document.createElementNS(SVG, shape.tag);
    dress(element, shape);
    const of = kept.get(element)?.of ?? new Map();
    kept.set(element, { shape, of });
    if (shape.inside) draw(element, shape.inside);
    now.set(shape.key, element);
    const place = after ? after.nextSibling : parent.firstChild;
    if (place !== element) parent.insertBefore(element, place);
    after = element;
  }
  for (const [key, element] of known) if (now.get(key) !== element) element.remove();
  const shape = kept.get(parent)?.shape ?? { key: "", tag: parent.tagName, attributes: {} };
  kept.set(parent, { shape, of: now });
};

// The innermost shape around an element of which one can say, or do, something.
/** @type {(element: Element | null, wanted: "tip" | "act") => Shape | null} */
export const shapeAt = (element, wanted) => {
  for (let at = element; at; at = at.parentElement) {
    const shape = kept.get(at)?.shape;
    if (shape?.[wanted]) return shape;
  }
  return null;
};
