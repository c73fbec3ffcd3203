// What a screen reader hears of Streamlit's own, in the reader's language: it names its parts in English, or not at all.

// @ts-check

/** @import { Names } from "./present.d.ts" */

import { parts } from "../../browser/dom.js";

const HEARD = ["aria-label", "aria-roledescription", "placeholder"];
const IN_PICTURES = "[aria-roledescription]"; // what there has only a label is a mark, one of very many
const NAMED = `:is(${HEARD.map((name) => `[${name}]`).join()}):not(svg :not(${IN_PICTURES}))`;
const CHANGES = { childList: true, subtree: true, attributeFilter: HEARD };

// Our name for one of Streamlit's.
/** @type {(names: Record<string, string>, theirs: string) => string | undefined} */
export const ours = (names, theirs) => {
  if (Object.hasOwn(names, theirs)) return names[theirs];
  for (const [name, said] of Object.entries(names)) {
    const [before, after] = name.split("…");
    if (after !== undefined && theirs.startsWith(before) && theirs.endsWith(after))
      return said.replace("…", () => theirs.slice(before.length, theirs.length - after.length));
  }
};

// Names what is on the page, and what comes.
/** @type {() => { show: (names: Names, lang: string) => void, stop: () => void }} */
export const named = () => {
  /** @type {Names} */
  let names = { ours: {}, at: {} };
  /** @type {Map<string, WeakMap<Element, { theirs: string | null, said: string }>>} */
  const known = new Map(HEARD.map((attribute) => [attribute, new WeakMap()]));
  /** @type {(element: Element, attribute: string, find: (theirs: string) => string | undefined) => void} */
  const name = (element, attribute, find) => {
    const now = element.getAttribute(attribute);
    const before = known.get(attribute)?.get(element);
    const theirs = before?.said === now ? before.theirs : now; // another language may have been heard before
    const said = find(theirs ?? "");
    if (!said || said === now) return;
    known.get(attribute)?.set(element, { theirs, said });
    element.setAttribute(attribute, said);
  };
  const look = () => {
    for (const one of parts(document, NAMED))
      for (const attribute of HEARD) name(one, attribute, (theirs) => ours(names.ours, theirs));
    for (const [selector, said] of Object.entries(names.at))
      for (const one of parts(document, selector)) name(one, "aria-label", () => said);
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
