// A picture on a page of widgets. Python says what is in it; `draw` writes it, and `send` says what was clicked.

// @ts-check

/** @import { Given, Mounted, Send, Spoken } from "./client.d.ts" */

import { isDark, onTheme } from "./colour.js";
import { parts } from "./dom.js";
import { component } from "./mounted.js";

// Boxes that scroll keep their place when what is in them is drawn anew.
/** @type {(root: HTMLElement, redraw: () => void) => void} */
const keepingPlaces = (root, redraw) => {
  const kept = parts(root, "[data-scroll]").map((box) => ({
    name: box.dataset.scroll,
    scrollTop: box.scrollTop,
    scrollLeft: box.scrollLeft,
  }));
  redraw();
  for (const { name, ...place } of kept) {
    const box = root.querySelector(`[data-scroll="${name}"]`);
    if (box) Object.assign(box, place);
  }
};

/**
 * A component of Streamlit that draws with `draw`; `settle` is called when all is in its place.
 *
 * @template {Spoken} Data
 * @param {(root: HTMLElement, data: Data, send: Send) => void} draw
 * @param {(root: HTMLElement, data: Data) => void} [settle]
 */
export const drawn = (draw, settle) => {
  /** @type {(root: HTMLElement) => Mounted<Data>} */
  const mount = (root) => {
    /** @type {Data | null} */
    let shown = null;
    let written = "";
    /** @type {Given<Data>["setTriggerValue"]} */
    let send = () => {};
    const redraw = () => {
      if (!shown) return;
      const data = shown;
      root.classList.toggle("dark", isDark(root));
      keepingPlaces(root, () => draw(root, data, (event) => send("event", event)));
      if (settle) settle(root, data);
    };
    const stopTheme = onTheme(root, redraw);
    return {
      show: (data, trigger) => {
        [shown, send] = [data, trigger];
        root.lang = data.lang;
        const now = JSON.stringify(data);
        if (now === written) return;
        written = now;
        redraw();
      },
      stop: stopTheme,
    };
  };

  return component(mount);
};
