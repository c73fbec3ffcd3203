// Which part of a tensor is drawn, and where its cells lie on screen.

// @ts-check

/** @import { Panel, ReadPanel } from "./client.d.ts" */

import { clamp } from "./numbers.js";

// A part of a tensor, around one row of the window: for pictures with more tensors than there is room for.
/** @type {(raw: ReadPanel, middle: number, nRows: number, nCols: number) => ReadPanel} */
export const cropped = (raw, middle, nRows, nCols) => {
  const rows = raw.window[0];
  const n = Math.min(rows, nRows);
  return cut(raw, clamp(middle - Math.floor(n / 2), 0, rows - n), 0, n, nCols);
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
