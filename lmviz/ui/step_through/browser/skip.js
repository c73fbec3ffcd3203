// A way past what stands before the picture: the first thing that the tab key reaches.

// @ts-check

import { h, maybe } from "../../browser/dom.js";

const HIDDEN =
  "position:fixed;z-index:1000001;left:12px;top:-6rem;padding:8px 14px;border-radius:8px;border:0;font:inherit;";
const COLOURS = "background:var(--st-primary-color,#1f5fbf);color:#fff;";
const SHOWN = "12px"; // from the top, while it has the focus

/** @type {(box: HTMLElement) => void} */
const enter = (box) => {
  const first = maybe(box, "canvas,button,input");
  if (!first) box.setAttribute("tabindex", "-1");
  (first ?? box).focus();
};

/** @type {(box: HTMLElement) => { say: (label: string) => void, stop: () => void }} */
export const skipLink = (box) => {
  /** @type {HTMLElement} */
  const link = h("button", {
    style: HIDDEN + COLOURS,
    onclick: () => enter(box),
    onfocus: () => link.style.setProperty("top", SHOWN),
    onblur: () => link.style.setProperty("top", "-6rem"),
  });
  document.body.prepend(link);
  return {
    say: (label) => {
      link.textContent = label;
    },
    stop: () => link.remove(),
  };
};
