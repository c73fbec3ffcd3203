// A tensor as Python sends it, for tests: its cells count up from 0.

/** @import { ReadPanel } from "../../lmviz/ui/browser/client.d.ts" */

const NAMED = { address: "x", name: "x", role: "activation", dtype: "float32", sign: "", part: "activation", mark: "" };
const UNMARKED = { note: "", overview: null, pinned: null, focus: null, by_hand: false, heads: 0, heads_off: [] };

/** @type {(rows: number, cols: number, more?: Partial<ReadPanel>) => ReadPanel} */
export const panel = (rows, cols, more = {}) => {
  const values = Float32Array.from({ length: rows * cols }, (_, i) => i);
  return {
    ...NAMED,
    ...UNMARKED,
    axes: ["pos", "d_model"],
    shape: [rows, cols],
    lead: [],
    size: [rows, cols],
    start: [0, 0],
    window: [rows, cols],
    whole: [rows, cols],
    cells: "",
    values,
    all: values,
    changed: null,
    changedValues: null,
    integers: false,
    row_axis: "pos",
    col_axis: "d_model",
    row_labels: Array.from({ length: rows }, (_, i) => `r${i}`),
    col_labels: Array.from({ length: cols }, (_, i) => `c${i}`),
    scale: "signed",
    peak: rows * cols,
    result: false,
    turned: false,
    grad: false,
    no_grad: false,
    origins: [],
    ...more,
  };
};
