// What a screen reader hears of Streamlit's own, in the reader's language: it names its parts in English, or not at all.

// @ts-check

/** @import { Names } from "./present.d.ts" */

import { parts } from "../../browser/dom.js";

const NAMED = "[aria-label]:not(svg *)"; // a chart has one for each of its points
const CHANGES = { childList: true, subtree: true, attributeFilter: ["aria-label"] };

// Our name for one of Streamlit's.
/** @type {(names: Record<string, string>, theirs: string) => string | undefined} */
export const ours = (names, theirs) => {
  if (Object.hasOwn(names, theirs)) return names[theirs];
  const open = Object.keys(names).find((name) => name.endsWith("…") && theirs.startsWith(name.slice(0, -1)));
  return open && names[open].replace("…", () => theirs.slice(open.length - 1));
};

// Names what is on the page, and what comes.
/** @type {() => { show: (names: Names, lang: string) => void, stop: () => void }} */
export const named = () => {
  /** @type {Names} */
  let names = { ours: {}, at: {} };
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
    for (const one of parts(document, NAMED)) name(one, (theirs) => ours(names.ours, theirs));
    for (const [selector, said] of Object.entries(names.at))
      for (const one of parts(document, selector)) name(one, () => said);
  };
  const changes = new MutationObserver(look);
  changes.observe(document.body, CHANGES);
  return {
    show: (now, lang) => {
      names = now;
      document.documentElement.lang = lang; // Streamlit's own is always English
      look();
    },
    stop: () => changes.disconnect(),
  };
};
