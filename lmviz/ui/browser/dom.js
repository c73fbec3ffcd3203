// Small helpers. Text only ever enters the page as text nodes, so nothing that a user typed can act as markup.

// @ts-check

/** @import { Attributes, Child } from "./client.d.ts" */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value);
  element.append(...flat(children));
  return element;
};

/** @type {(element: HTMLElement, name: string, value: any) => void} */
const attribute = (element, name, value) => {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "html")
    element.innerHTML = value; // drawings that Python made: formulas
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
};

// Children one after the other, without those that are not there.
/** @type {(children: Child[]) => (string | Node)[]} */
export const flat = (children) =>
  children.flatMap((child) => {
    if (Array.isArray(child)) return flat(child);
    return child === null || child === undefined || child === false ? [] : [child];
  });

// The element of a page that Python has laid out, so that it is there.
/** @type {(root: ParentNode, selector: string) => HTMLElement} */
export const part = (root, selector) => /** @type {HTMLElement} */ (root.querySelector(selector));

/** @type {(root: ParentNode, selector: string) => HTMLElement | null} */
export const maybe = (root, selector) => root.querySelector(selector);

/** @type {(root: ParentNode, selector: string) => HTMLElement[]} */
export const parts = (root, selector) => [...root.querySelectorAll(selector)].map((one) => /** @type {any} */ (one));

// A form that stays where it is.
/** @type {(act: () => void) => (event: SubmitEvent) => void} */
export const submitted = (act) => (event) => {
  event.preventDefault();
  act();
};

// Pixels of the window's height from where an element begins on a page that is not scrolled.
/** @type {(element: Element) => number} */
export const heightLeft = (element) => {
  const page = document.querySelector(".stMain") || document.documentElement;
  return window.innerHeight - element.getBoundingClientRect().top - page.scrollTop;
};

// What the parts of a page stand in. It grows where one of them comes or grows, which moves what is below and tells it nothing.
/** @type {() => Element | null} */
export const pageParts = () => document.querySelector(".stMainBlockContainer .stVerticalBlock");

// What reads the layout waits until all is written: one layout for a step, not one for each pane.
/** @type {(act: () => void) => void} */
export const later = (act) => requestAnimationFrame(act);
