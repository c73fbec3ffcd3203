// Made from lmviz/ui/generation/pictures_types.py:
// change that file, and run `python -m tools.browser_types`.

export type Shown = "scores" | "shares";

/** A share from 0 to 1 with a word on what it counts. */
export interface Measure {
  title: string;
  help: string;
  counts: string;
  share: number | null;
  figure: string;
}

export interface Measures {
  rows: Measure[];
  brief: boolean;
}

export interface WrittenText {
  given: string;
  new: string;
  log_prob: number;
  final: number | null;
  same_as: number;
  stopped: boolean;
}

export interface WrittenTexts {
  rows: WrittenText[];
  clicks: boolean;
}

/** A text of a beam search. */
export interface Node {
  index: number;
  parent: number | null;
  step: number;
  rank: number;
  text: string;
  score: string;
  fate: string;
  title: string;
}

export interface Tree {
  nodes: Node[];
  path: number[];
  looked: number | null;
  prompt: string;
  height: number;
}

/** A token's part of the bar from 0 to 1. */
export interface Share {
  id: number;
  text: string;
  start: number;
  end: number;
}

export interface DrawBar {
  shares: Share[];
  number: number | null;
  chosen: number | null;
  reached: number;
  others: number;
}

export interface FilterColumn {
  name: string;
  title: string;
  on: boolean;
  cut: number;
  why: string;
}

export interface TokenRow {
  id: number;
  text: string;
  scores: (number | null)[];
  shares: (number | null)[];
}

/** One step of writing: the bar, and a page of the table. */
export interface TokenStep {
  columns: FilterColumn[];
  rows: TokenRow[];
  total: number;
  start: number;
  size: number;
  chosen: number | null;
  row: number | null;
  column: string;
  shown: "scores" | "shares";
  bar: DrawBar;
}
