// How much larger all is than on a desk: in front of a room the root's letters are larger, and what is drawn with them.

// @ts-check

import { h } from "./dom.js";

const DESK_LETTERS = 16; // pixels of the root's letters
const ROOM_LETTERS = 0.0355; // of the window's height, that letters take in front of a room: a little more than 3.5 %
const NARROW_LETTERS = 0.03; // of its width, at most: on a phone that is held upright

export const PHONE = 820; // pixels of a window's width up to which parts stand below each other, as styles have it

// How much larger all is in a window in front of a room; `ui/present/browser/room.css` says the same.
/** @type {(width: number, height: number) => number} */
export const roomScale = (width, height) =>
  Math.max(1, Math.min(ROOM_LETTERS * height, NARROW_LETTERS * width) / DESK_LETTERS);

/** @type {() => number} */
export const scale = () =>
  (parseFloat(getComputedStyle(document.documentElement).fontSize) || DESK_LETTERS) / DESK_LETTERS;

// Pixels of a desk, which become more in front of a room.
/** @type {(pixels: unknown) => string} */
export const onDesk = (pixels) => `${(Number(pixels) / DESK_LETTERS).toFixed(4)}rem`;

/**
 * Calls back whenever all has become larger or smaller.
 *
 * @type {(root: HTMLElement, changed: () => void) => () => void} returns what ends it
 */
export const onScale = (root, changed) => {
  const rule = h("i", {
    class: "rule",
    "aria-hidden": "true",
    style: "position:absolute;visibility:hidden;width:1rem",
  });
  let last = scale();
  const observer = new ResizeObserver(() => {
    const now = scale();
    if (now === last) return;
    last = now;
    changed();
  });
  root.append(rule);
  observer.observe(rule);
  return () => {
    observer.disconnect();
    rule.remove();
  };
};
