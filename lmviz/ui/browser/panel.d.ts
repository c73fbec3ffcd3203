// Made from lmviz/ui/panel_types.py:
// change that file, and run `python -m tools.browser_types`.

export type Real = number | "NaN" | "Infinity" | "-Infinity";

export type ColourScale = "share" | "signed" | "name";

/** A complex number in its two parts. */
export interface Complex {
  re: number | "NaN" | "Infinity" | "-Infinity";
  im: number | "NaN" | "Infinity" | "-Infinity";
}

export type AnyNumber = number | "NaN" | "Infinity" | "-Infinity" | Complex;

/** A coarse look at a whole slice: every so-manyth cell, as it is. */
export interface Overview {
  cells: string;
  window: number[];
  every: number[];
}

/** The part of a tensor that is drawn, and what its axes say. */
export interface Window {
  address: string;
  name: string;
  role: string;
  axes: string[];
  shape: number[];
  dtype: string;
  lead: number[];
  size: number[];
  start: number[];
  window: number[];
  cells: string;
  integers: boolean;
  row_axis: string;
  col_axis: string;
  row_labels: string[];
  col_labels: string[];
  scale: "share" | "signed" | "name";
  peak: number;
}

/** What goes with one axis: `start` + `by` × i at its index i; or, from the index `start` on, one of `each`. */
export interface Along {
  start: number;
  by: number;
  each?: (number | null)[];
}

/** An index on one axis: a number, and what the row and the column of a cell add to it. */
export interface IndexAt {
  start: number;
  row?: Along;
  col?: Along;
}

/** Cells of a tensor beside it that a cell was made from: an index for each axis; None is the whole axis. */
export interface Origin {
  address: string;
  at: (IndexAt | null)[];
}

/** One tensor of a picture, with the marks on it. */
export interface TensorPanel extends Window {
  sign: string;
  result: boolean;
  turned: boolean;
  part: string;
  mark: string;
  note: string;
  overview: Overview | null;
  pinned: number[] | null;
  focus: number | null;
  by_hand: boolean;
  heads: number;
  heads_off: number[] | null;
  grad: boolean;
  no_grad: boolean;
  origins: Origin[];
  changed: string | null;
}

/** Tensors side by side on a page of widgets. */
export interface Matrices {
  panels: TensorPanel[];
  lang: string;
  digits: number;
  parts: string[];
  height: number;
  words: Record<string, string>;
  together: boolean;
}

export interface OnPin {
  type: "pin";
  address: string;
  cell: number[];
}

export interface OnUnpin {
  type: "unpin";
}

export interface OnHead {
  type: "head";
  head: number;
}

export interface OnHeadOff {
  type: "head_off";
  address: string;
  head: number;
}

export interface OnWindow {
  type: "window";
  address: string;
  row: number;
  col: number;
}

export type PanelEvent = OnPin | OnUnpin | OnHead | OnHeadOff | OnWindow;
