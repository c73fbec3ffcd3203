// Which part of a tensor is drawn, and where its cells lie on screen.

// @ts-check

/** @import { Panel, ReadPanel } from "./client.d.ts" */

import { clamp } from "./numbers.js";

// A part of a tensor, for pictures with more tensors than there is room for: around the followed token's row. The pinned
// cell, or the first that it was made from, is in it, unless one has chosen another part by hand.
/** @type {(raw: ReadPanel, nRows: number, nCols: number) => ReadPanel} */
export const cropped = (raw, nRows, nCols) => {
  const [rows, cols] = raw.window;
  const n = Math.min(rows, nRows);
  /** @type {(row: number) => number} the first row of those around one */
  const around = (row) => clamp(row - Math.floor(n / 2), 0, rows - n);
  const first = raw.by_hand ? 0 : around((raw.focus ?? 0) - raw.start[0]);
  const [row, col] = (raw.pinned ?? raw.behind ?? [-1, -1]).map((at, axis) => at - raw.start[axis]);
  const isIn = row >= 0 && col >= 0 && row < rows && col < cols;
  if (raw.by_hand || !isIn) return cut(raw, first, 0, n, nCols);
  const isSeen = row >= first && row < first + n; // a click on what one sees moves nothing
  return cut(raw, isSeen ? first : around(row), Math.floor(col / nCols) * nCols, n, nCols);
};

// The rows and columns of a window from a first one on.
/** @type {(raw: ReadPanel, row: number, col: number, nRows: number, nCols: number) => ReadPanel} */
export const cut = (raw, row, col, nRows, nCols) => {
  const [rows, cols] = raw.window;
  const n = Math.min(rows - row, nRows);
  const m = Math.min(cols - col, nCols);
  /** @type {(values: Float32Array) => Float32Array} */
  const kept = (values) =>
    Float32Array.from({ length: n * m }, (_, i) => values[(row + Math.floor(i / m)) * cols + col + (i % m)]);
  return {
    ...raw,
    window: [n, m],
    start: [raw.start[0] + row, raw.start[1] + col],
    values: kept(raw.values),
    changedValues: raw.changedValues && kept(raw.changedValues),
    row_labels: raw.row_labels.slice(row, row + n),
    col_labels: raw.col_labels.slice(col, col + m),
    part_only: n < raw.size[0] || m < raw.size[1],
  };
};

// Turned panels swap rows and columns for the eye only; cells keep their address.
/** @type {(raw: ReadPanel) => Panel} */
export const prepare = (raw) => {
  const panel = /** @type {Panel} */ ({ ...raw });
  const [rows, cols] = raw.window;
  panel.focusLocal = raw.focus === null ? null : raw.focus - raw.start[0];
  if (panel.focusLocal !== null && (panel.focusLocal < 0 || panel.focusLocal >= rows)) panel.focusLocal = null;
  panel.rows = raw.turned ? cols : rows;
  panel.cols = raw.turned ? rows : cols;
  panel.rowLabels = raw.turned ? raw.col_labels : raw.row_labels;
  panel.colLabels = raw.turned ? raw.row_labels : raw.col_labels;
  panel.rowAxis = raw.turned ? raw.col_axis : raw.row_axis;
  panel.colAxis = raw.turned ? raw.row_axis : raw.col_axis;
  panel.isChanged = (row, col) =>
    !!raw.changedValues && raw.changedValues[raw.turned ? col * cols + row : row * cols + col] !== 0;
  panel.at = (row, col) => panel.values[raw.turned ? col * cols + row : row * cols + col];
  panel.source = (row, col) =>
    raw.turned ? [col + raw.start[0], row + raw.start[1]] : [row + raw.start[0], col + raw.start[1]];
  panel.local = ([row, col]) => {
    const place = [row - raw.start[0], col - raw.start[1]];
    return raw.turned ? [place[1], place[0]] : place;
  };
  panel.cell = (row, col) => [...raw.lead, ...panel.source(row, col)].slice(-raw.shape.length || Infinity);
  return panel;
};
