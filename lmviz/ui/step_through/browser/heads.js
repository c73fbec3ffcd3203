// All heads of a block at once: a small picture of each, and a bar as long as what its absence changes.

// @ts-check

/** @import { Spoken } from "../../browser/client.d.ts" */
/** @import { HeadPicture, Heads, OnHead } from "./heads.d.ts" */

import { SCALES, colourOf, isDark } from "../../browser/colour.js";
import { h } from "../../browser/dom.js";
import { drawn } from "../../browser/drawn.js";
import { decoded } from "../../browser/numbers.js";
import { context, hatching } from "../../browser/tensor.js";

const SIDE = 116; // pixels of a picture

/** @typedef {Heads & Spoken} Given */

/** @type {(one: HeadPicture, data: Given, root: Element) => HTMLCanvasElement} */
const picture = (one, data, root) => {
  const scale = SCALES[isDark(root) ? "dark" : "light"];
  const n = data.tokens.length;
  const size = Math.max(1, Math.floor(SIDE / n));
  const canvas = h("canvas", { width: n * size, height: n * size, "aria-hidden": "true" });
  const g = context(canvas);
  const hatch = hatching(scale); // what a mask hides
  decoded(one.cells).forEach((value, i) => {
    g.fillStyle = Number.isFinite(value) ? `rgb(${colourOf(value, data, scale)})` : hatch;
    const gap = size > 5 ? 1 : 0;
    g.fillRect((i % n) * size, Math.floor(i / n) * size, size - gap, size - gap);
  });
  if (data.focus !== null) {
    g.strokeStyle = getComputedStyle(root).getPropertyValue("--lm-focus").trim() || "#0f8a6d";
    g.lineWidth = 2;
    g.strokeRect(1, data.focus * size, n * size - 2, size);
  }
  return canvas;
};

/** @type {(one: HeadPicture, { words }: Given) => string} */
const inWords = (one, { words }) =>
  words[`step_through.heads.${one.without ? "told" : "unmeasured"}`]
    .replace("{head}", String(one.head))
    .replace("{best}", one.best)
    .replace("{share}", one.share)
    .replace("{without}", one.without);

/** @type {(one: HeadPicture, data: Given, root: Element, send: (event: OnHead) => void) => HTMLElement} */
const card = (one, data, root, send) => {
  const said = inWords(one, data);
  const attributes = {
    class: "head",
    "aria-pressed": String(one.head === data.chosen),
    title: said,
  };
  const bar = h("span", { class: "bar" }, h("i", { style: `width:${100 * one.change}%` }));
  return h(
    "button",
    { ...attributes, onclick: () => send({ type: "head", head: one.head }) },
    h("b", {}, `${data.words["step_through.heads.head"]} ${one.head}`),
    picture(one, data, root),
    one.without ? bar : null,
    one.without ? h("small", {}, one.without) : null,
  );
};

// The same in a table.
/** @type {(data: Given) => HTMLElement} */
const table = (data) => {
  const { words, heads } = data;
  const names = ["head", "best", "share", "without"];
  const cells = heads.map((one) => [String(one.head), one.best, one.share, one.without || "–"]);
  return h(
    "details",
    {},
    h("summary", {}, words["step_through.heads.table"]),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          names.map((name) => h("th", { scope: "col" }, words[`step_through.heads.${name}`])),
        ),
      ),
      h(
        "tbody",
        {},
        cells.map((row) =>
          h(
            "tr",
            {},
            row.map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
  );
};

/** @type {(root: HTMLElement, data: Given, send: (event: OnHead) => void) => void} */
const draw = (root, data, send) =>
  root.replaceChildren(
    h("p", {}, data.said),
    h(
      "div",
      { class: "heads-grid" },
      data.heads.map((one) => card(one, data, root, send)),
    ),
    table(data),
  );

/** @type {WeakSet<Element>} */
const settled = new WeakSet();

const OPENING = 1000; // milliseconds, in which what opens may still become higher

// What somebody has just opened is in sight, as it grows.
/** @type {(root: HTMLElement) => void} */
const settle = (root) => {
  const opened = document.activeElement?.closest(".st-key-heads_open");
  if (!settled.has(root) && opened) {
    const heights = new ResizeObserver(() => root.scrollIntoView({ block: "nearest" }));
    heights.observe(opened);
    setTimeout(() => heights.disconnect(), OPENING);
  }
  settled.add(root);
};

export default drawn(draw, settle);
