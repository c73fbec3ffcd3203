// A large tensor: where the window stands in the whole, and a click to move it.

// @ts-check

/** @import { Look, Panel, TensorPage } from "./client.d.ts" */

import { colourOf } from "./colour.js";
import { h } from "./dom.js";
import { clamp, decoded } from "./numbers.js";
import { context } from "./tensor.js";

const NO_COLOUR = [128, 136, 148]; // of what is not finite

/** @type {(panel: Panel, look: Look) => HTMLCanvasElement} */
const sketch = (panel, look) => {
  const sample = panel.overview;
  const [rows, cols] = sample ? sample.window : panel.whole;
  const values = sample ? decoded(sample.cells) : panel.all;
  const canvas = h("canvas", { width: cols, height: rows });
  const g = context(canvas);
  const image = g.createImageData(cols, rows);
  values.forEach((value, i) => {
    const colour = Number.isFinite(value) ? colourOf(value, panel, look.scale) : NO_COLOUR;
    image.data.set([...colour, 255], 4 * i);
  });
  g.putImageData(image, 0, 0);
  return canvas;
};

// A frame around the window's part of the whole.
/** @type {(panel: Panel) => HTMLElement} */
const frame = ({ start: [row, col], window: [rows, cols], size: [allRows, allCols] }) => {
  /** @type {(part: number, whole: number) => string} */
  const share = (part, whole) => `${(100 * part) / whole}%`;
  const place = `top:${share(row, allRows)};left:${share(col, allCols)}`;
  return h("i", { style: `${place};height:${share(rows, allRows)};width:${share(cols, allCols)}` });
};

/** @type {(panel: Panel, look: Look, state: TensorPage) => HTMLElement} */
export const overviewOf = (panel, look, state) => {
  const [allRows, allCols] = panel.size;
  const [row, col] = panel.start;
  const [rows, cols] = panel.window;
  const { address } = panel;
  const { words } = state;
  /** @type {(row: number, col: number) => void} */
  const move = (row, col) =>
    state.send({ type: "window", address, row: clamp(row, 0, allRows - 1), col: clamp(col, 0, allCols - 1) });
  /** @type {(event: MouseEvent) => void} */
  const onclick = (event) => {
    const area = box.getBoundingClientRect();
    const down = (event.clientY - area.top) / area.height;
    const right = (event.clientX - area.left) / area.width;
    move(Math.floor(down * allRows), Math.floor(right * allCols));
  };
  const box = h("div", { class: "whole", title: words["picture.whole"], onclick }, sketch(panel, look), frame(panel));
  /** @type {(label: string, row: number, col: number, name: string) => HTMLElement} */
  const page = (label, row, col, name) => h("button", { "aria-label": name, onclick: () => move(row, col) }, label);
  return h(
    "div",
    { class: "paging" },
    box,
    col > 0 ? page("◀", row, col - cols, words["picture.left"]) : null,
    col + cols < allCols ? page("▶", row, col + cols, words["picture.right"]) : null,
    row > 0 ? page("▲", row - rows, col, words["picture.up"]) : null,
    row + rows < allRows ? page("▼", row + rows, col, words["picture.down"]) : null,
    h("span", {}, `${row}–${row + rows - 1} / ${allRows} × ${col}–${col + cols - 1} / ${allCols}`),
  );
};
