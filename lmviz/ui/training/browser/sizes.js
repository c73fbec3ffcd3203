// How many numbers a model is made of, part by part, and as many as it would be while one drags a slider of its sizes:
// Streamlit tells nobody of a slider before it is let go, but says its place where a screen reader looks for it.

// @ts-check

/** @import { Spoken } from "../../browser/client.d.ts" */
/** @import { Shapes, Sizes } from "./pictures.d.ts" */

import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";

/** @type {WeakMap<Element, Sizes & Spoken>} */
const shown = new WeakMap();

/** @type {(root: HTMLElement, data: Sizes & Spoken) => void} */
const draw = (root, data) => {
  const isNew = !shown.has(root);
  shown.set(root, data);
  if (isNew) follow(root);
  write(root, data, data.parts);
};

/** @type {(root: HTMLElement) => void} */
const follow = (root) => {
  const watch = new MutationObserver((changes) => {
    const data = shown.get(root);
    if (!root.isConnected || !data) return watch.disconnect();
    for (const { target } of changes) {
      const thumb = /** @type {HTMLInputElement} */ (target);
      const slider = thumb.closest("[class*='st-key-recipe-model-']");
      const name = slider && /st-key-recipe-model-(\w+)/.exec(slider.className)?.[1];
      const parts = name && data.options[name]?.[Number(thumb.value)];
      if (parts) write(root, data, parts);
    }
  });
  watch.observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-valuetext"] });
};

// Each part is so many tensors of one shape: [3, 16, 16] is three of 16 × 16.
/** @type {(part: number[], count: (n: number) => string) => string} */
const shapeOf = ([times, ...shape], count) => (times > 1 ? `${count(times)} × ` : "") + shape.map(count).join(" × ");

/** @type {(root: HTMLElement, data: Sizes & Spoken, parts: Shapes) => void} */
const write = (root, { words, names, colours, lang }, parts) => {
  const counts = parts.map((part) => part.reduce((a, b) => a * b));
  /** @type {(n: number) => string} */
  const count = (n) => n.toLocaleString(lang);
  const total = counts.reduce((a, b) => a + b);
  const open = root.querySelector("details")?.open ?? innerHeight > 900;
  const bars = counts.map((n, i) =>
    h("i", { style: `flex:${n};background:${colours[i]}`, title: `${names[i]}: ${count(n)}` }),
  );
  const rows = counts.map((n, i) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("i", { style: `background:${colours[i]}` }), names[i]),
      h("td", {}, shapeOf(parts[i], count)),
      h("td", {}, h("b", {}, count(n))),
    ),
  );
  root.replaceChildren(
    h("div", { class: "total" }, h("b", {}, count(total)), h("span", {}, words["training.sizes.parameters"])),
    h("div", { class: "share", "aria-hidden": "true" }, bars),
    h("details", { open }, h("summary", {}, words["training.sizes.parts"]), h("table", {}, rows)),
  );
};

export default drawn(draw);
