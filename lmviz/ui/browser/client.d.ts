// What the browser makes of what Python sends: types that only the browser's own code has.

import type { PanelEvent, TensorPanel } from "./panel.d.ts";

/** What may stand in an element; what is false or null is left out. */
export type Child = string | Node | null | undefined | false | Child[];

export interface Attributes {
  [event: `on${string}`]: (event: any) => unknown;
  [name: string]: unknown;
}

/** The colours of a theme: [red, green, blue], and two as CSS. */
export interface Shades {
  low: number[];
  middle: number[];
  high: number[];
  share: number[];
  ink: string;
  faint: string;
}

/** How tensors are drawn on a page: its colours, fonts, digits and language. */
export interface Look {
  scale: Shades;
  digits: number;
  lang: string;
  hatch: CanvasPattern;
  accent: string;
  font: string;
  mono: string;
}

/** A tensor whose numbers have been read; maybe only a part of its window. */
export interface ReadPanel extends TensorPanel {
  values: Float32Array; // of `window`, row by row
  changedValues: Float32Array | null;
  whole: number[]; // rows and columns that were sent
  all: Float32Array; // the numbers that were sent
  part_only?: boolean;
  behind?: number[]; // row and column where it has what the pinned cell was made from
}

/** A tensor as it lies on screen: rows and columns are those that one sees. */
export interface Panel extends ReadPanel {
  tight?: boolean; // so narrow that the parts of its caption lie one below the other
  rows: number;
  cols: number;
  rowLabels: string[];
  colLabels: string[];
  rowAxis: string;
  colAxis: string;
  focusLocal: number | null;
  at: (row: number, col: number) => number;
  isChanged: (row: number, col: number) => boolean;
  source: (row: number, col: number) => number[]; // the place in the whole slice
  local: (place: number[]) => number[]; // and back
  cell: (row: number, col: number) => number[];
}

/** Who has moved a picture to its place in its box, and which picture. */
export interface Scrolled {
  at: string;
  isReaders: boolean;
}

/** What a box has room for in pixels, and what it looks like. */
export interface Room {
  width: number;
  height: number;
  scale: number; // how much larger all is than on a desk
  isDark: boolean;
  accent: string; // a colour
  font: string;
  mono: string;
}

/** Width and height of a cell in pixels. */
export interface Size {
  w: number;
  h: number;
}

/** Where the cells of a drawing begin, and their size. */
export interface Grid extends Size {
  left: number;
  top: number;
}

/** The sizes of cells with which panels fill their space, and how good that is. */
export interface Sizes {
  sizes: Map<Panel, Size>;
  score: number;
  crowded: boolean;
  isRead: boolean; // whether every row is as high as its number, and no caption is cut
}

/** Panels in lines, with their sizes. */
export interface Arrangement extends Sizes {
  lines: Panel[][];
}

/** What a page has that shows tensors. */
export interface TensorPage {
  root: HTMLElement;
  tip: HTMLElement;
  live: HTMLElement;
  words: Record<string, string>;
  numbers?: boolean; // whether cells are so large that numbers fit, as many as have room
  data: {
    lang: string;
    digits: number;
    present?: boolean;
    parts?: string[]; // what is shown at the reader's depth; nothing is said: all
    tokens: { text: string }[];
    inspector?: { address: string; cell: number[] } | null;
  };
  send: (event: PanelEvent) => void;
  shown?: { panel: Panel; canvas: HTMLCanvasElement; grid: Grid }[]; // the tensors as they lie on screen
  pointed?: (panel: Panel | null, place: number[]) => void; // is told which cell of a whole slice is pointed at
}

/** What Streamlit gives to a component. */
export interface Given<Data> {
  /** In a list, since Streamlit imports pandas to look for tables in a dictionary. */
  data: [Data];
  parentElement: HTMLElement;
  setTriggerValue: (name: string, value: unknown) => void;
}

/** What is set up in an element: it shows what is sent, until it leaves the page. */
export interface Mounted<Data> {
  show: (data: Data, trigger: Given<Data>["setTriggerValue"]) => void;
  stop: () => void;
}

/** What every picture of a page of widgets has beside its own data. */
export interface Spoken {
  lang: string;
  words: Record<string, string>;
}

export type Send = (event: Record<string, unknown>) => void;
