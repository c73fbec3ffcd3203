// The window of a tensor that a picture shows: cut as lmviz/ui/step_through/tensors.py cuts it.

// @ts-check

/** @import { Origin, Overview, TensorPanel } from "../../browser/panel.d.ts" */
/** @import { KeptPanel, KeptPlace, KeptTensor } from "./walk.d.ts" */
/** @import { Page } from "./explained.js" */
/** @import { View } from "./view.js" */

import { clamp } from "../../browser/numbers.js";
import { flatPlace } from "./explained.js";

const WINDOW = 64; // cells at most, each way
const SAMPLE = 48; // of an overview
const TOKENS = ["pos", "query", "key"]; // axes that run over the text

/** @typedef {{ rows: number, cols: number, at: (row: number, col: number) => number }} Slice */
/** @typedef {{ row: number, col: number, rows: number, cols: number }} Cut */

/** @type {(tensor: KeptTensor, view: View) => number[]} */
const leadOf = (tensor, view) => tensor.lead[Math.min(view.head, tensor.lead.length - 1)];

// The last two axes at an index on the others; of what is kept in part, zeros where nothing is.
/** @type {(page: Page, tensor: KeptTensor, lead: number[]) => Slice} */
const sliceOf = ({ numbers }, tensor, lead) => {
  const [rows, cols] = [1, 1, ...tensor.shape].slice(-2);
  const { part } = tensor;
  if (part) {
    const cells = numbers(part.leads[lead.join(",")]);
    const [row, col] = part.start;
    return { rows, cols, at: (r, c) => Number(cells[(r - row) * part.size[1] + (c - col)]) };
  }
  const all = tensor.array === null ? new Float32Array() : numbers(tensor.array);
  const first = flatPlace(lead, tensor.shape.slice(0, -2)) * rows * cols;
  return { rows, cols, at: (r, c) => Number(all[first + r * cols + c]) };
};

// As early as can be, so that walking shifts it rarely.
/** @type {(wanted: number, size: number) => number} */
const windowStart = (wanted, size) => (wanted < WINDOW ? 0 : Math.floor(Math.min(wanted, size - 1) / 8) * 8);

/** @type {(tensor: KeptTensor, slice: Slice, view: View) => Cut} */
const cutOf = (tensor, { rows, cols }, view) => {
  if (tensor.part) {
    const { start, size } = tensor.part;
    return { row: start[0], col: start[1], rows: size[0], cols: size[1] };
  }
  const byHand = view.windows[tensor.address];
  const [row, col] = byHand
    ? [clamp(byHand[0], 0, rows - 1), clamp(byHand[1], 0, cols - 1)]
    : wantedPlace(tensor, view).map((wanted, i) => windowStart(Math.min(wanted, [rows, cols][i] - 1), [rows, cols][i]));
  return { row, col, rows: Math.min(rows - row, WINDOW), cols: Math.min(cols - col, WINDOW) };
};

// Row and column that the window must have in it: the pinned cell's, else the focus token's.
/** @type {(tensor: KeptTensor, view: View) => number[]} */
const wantedPlace = ({ address, axes }, { cell, focus }) => {
  if (cell && cell[0] === address && cell[1].length) return [0, ...cell[1]].slice(-2);
  return [axes.length >= 2 && ["pos", "query"].includes(axes[axes.length - 2]) ? focus : 0, 0];
};

/** @type {(slice: Slice, cut: Cut) => number[]} */
const cellsIn = (slice, { row, col, rows, cols }) =>
  Array.from({ length: rows * cols }, (_, i) => slice.at(row + Math.floor(i / cols), col + (i % cols)));

/** @type {(cells: number[]) => number} */
const peakOf = (cells) =>
  cells.reduce((peak, cell) => (Number.isFinite(cell) ? Math.max(peak, Math.abs(cell)) : peak), 0);

/** @type {(cells: number[]) => string} */
export const packed = (cells) => {
  const bytes = new Uint8Array(Float32Array.from(cells).buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
};

// A coarse look at a slice of which a window shows a part only.
/** @type {(slice: Slice, cut: Cut) => Overview | null} */
const overviewFor = (slice, cut) => {
  if (slice.rows <= WINDOW && slice.cols <= WINDOW && !cut.row && !cut.col) return null;
  const every = [slice.rows, slice.cols].map((n) => Math.max(1, Math.ceil(n / SAMPLE)));
  const window = [slice.rows, slice.cols].map((n, i) => Math.ceil(n / every[i]));
  const cells = Array.from({ length: window[0] * window[1] }, (_, i) =>
    slice.at(Math.floor(i / window[1]) * every[0], (i % window[1]) * every[1]),
  );
  return { cells: packed(cells), window, every };
};

/** @type {(page: Page, axis: string, index: number, counts: boolean) => string} */
const labelAt = ({ walk }, axis, index, counts) => {
  if (TOKENS.includes(axis) && index < walk.tokens.length) return walk.tokens[index].text;
  if (axis === "d_vocab" || axis === "id") return walk.pieces[index] ?? (counts ? String(index) : "");
  return counts ? String(index) : "";
};

// Row and column of the pinned cell, if it is in this slice, or in what this tensor was before it was masked.
/** @type {(tensor: KeptTensor, lead: number[], view: View) => number[] | null} */
const pinnedIn = (tensor, lead, { cell }) => {
  if (!cell || cell[1].length !== tensor.shape.length) return null;
  if (cell[0] !== tensor.address && cell[0] !== tensor.unmasked) return null;
  const at = cell[1].slice(0, -2);
  return at.every((index, axis) => index === lead[axis]) ? [0, 0, ...cell[1]].slice(-2) : null;
};

/** @type {(page: Page, shown: KeptPanel, view: View) => Origin[]} */
const originsOf = ({ walk }, { origins }, view) => walk.origins[origins[Math.min(view.head, origins.length - 1)]] ?? [];

// The tensors of a place.
/** @type {(page: Page, place: KeptPlace, view: View) => TensorPanel[]} */
export const panelsAt = (page, place, view) => {
  const counts = page.walk.parts[view.depth].includes("ids");
  const frames = place.panels.map((shown) => {
    const tensor = page.walk.tensors[shown.tensor];
    const lead = leadOf(tensor, view);
    const slice = sliceOf(page, tensor, lead);
    const cut = cutOf(tensor, slice, view);
    return { shown, tensor, lead, slice, cut, cells: cellsIn(slice, cut) };
  });
  const together = place.together ? Math.max(0, ...frames.map(({ cells }) => peakOf(cells))) : null;
  return frames.map(({ shown, tensor, lead, slice, cut, cells }) => {
    const [rowAxis, colAxis] = tensor.axes.length ? ["", ...tensor.axes].slice(-2) : ["", ""];
    const isCut = tensor.part !== null;
    const { words } = page.walk.languages[view.lang];
    return {
      address: tensor.address,
      name: shown.name || tensor.name,
      role: tensor.role,
      axes: tensor.axes,
      shape: tensor.shape,
      dtype: tensor.dtype,
      lead,
      size: [slice.rows, slice.cols],
      start: [cut.row, cut.col],
      window: [cut.rows, cut.cols],
      cells: packed(cells),
      integers: tensor.integers,
      row_axis: rowAxis,
      col_axis: colAxis,
      row_labels: Array.from({ length: cut.rows }, (_, i) => labelAt(page, rowAxis, cut.row + i, counts)),
      col_labels: Array.from({ length: cut.cols }, (_, i) => labelAt(page, colAxis, cut.col + i, counts)),
      scale: tensor.scale,
      peak: tensor.scale === "signed" ? (together ?? peakOf(cells)) : tensor.scale === "share" ? 1 : 0,
      sign: shown.sign,
      result: shown.result,
      turned: shown.turned,
      part: shown.part,
      mark: "",
      note: isCut ? words["offline.part"] : tensor.note && words[tensor.note],
      overview: isCut ? null : overviewFor(slice, cut),
      pinned: pinnedIn(tensor, lead, view),
      focus: rowAxis === "pos" || rowAxis === "query" ? view.focus : null,
      by_hand: tensor.address in view.windows,
      heads: tensor.heads,
      heads_off: null, // they cannot be switched
      grad: false,
      no_grad: false,
      origins: originsOf(page, shown, view),
      changed: null,
    };
  });
};
