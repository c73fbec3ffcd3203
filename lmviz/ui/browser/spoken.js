// What a screen reader hears of Streamlit's own, in the reader's language: it names its parts in English, or not at all.

// @ts-check

/** @import { Mounted } from "./client.d.ts" */

import { parts } from "./dom.js";
import { component } from "./mounted.js";

/** @typedef {{ lang: string, names: Record<string, string>, at: Record<string, string> }} Names by Streamlit's own, whose
 * "…" stands for any end, and by the selectors of what has no name that is fit to be heard */

const NAMED = "[aria-label]:not(svg *)"; // a chart has one for each of its points
const CHANGES = { childList: true, subtree: true, attributeFilter: ["aria-label"] };

// Our name for one of Streamlit's.
/** @type {(names: Record<string, string>, theirs: string) => string | undefined} */
export const ours = (names, theirs) => {
  if (Object.hasOwn(names, theirs)) return names[theirs];
  const open = Object.keys(names).find((name) => name.endsWith("…") && theirs.startsWith(name.slice(0, -1)));
  return open && names[open].replace("…", () => theirs.slice(open.length - 1));
};

/** @type {(root: HTMLElement) => Mounted<Names>} */
const mount = (root) => {
  /** @type {Names} */
  let { names, at } = { lang: "", names: {}, at: {} };
  /** @type {WeakMap<Element, { theirs: string | null, said: string }>} */
  const known = new WeakMap();
  /** @type {(element: Element, find: (theirs: string) => string | undefined) => void} */
  const name = (element, find) => {
    const now = element.getAttribute("aria-label");
    const before = known.get(element);
    const theirs = before?.said === now ? before.theirs : now; // another language may have been heard before
    const said = find(theirs ?? "");
    if (!said || said === now) return;
    known.set(element, { theirs, said });
    element.setAttribute("aria-label", said);
  };
  const look = () => {
    for (const one of parts(document, NAMED)) name(one, (theirs) => ours(names, theirs));
    for (const [selector, said] of Object.entries(at))
      for (const one of parts(document, selector)) name(one, () => said);
  };
  const changes = new MutationObserver(look);
  changes.observe(document.body, CHANGES);
  return {
    show: (data) => {
      ({ names, at } = data);
      document.documentElement.lang = data.lang; // Streamlit's own is always English
      look();
      root.lang = data.lang;
    },
    stop: () => changes.disconnect(),
  };
};

export default component(mount, ".spoken");
