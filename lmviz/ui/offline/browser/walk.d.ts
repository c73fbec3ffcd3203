// Made from lmviz/ui/offline/walk_types.py:
// change that file, and run `python -m tools.browser_types`.

import type { Origin } from "../../browser/panel.d.ts";

import type { Call, Check, Lit, LossTable, NextTokens, Scene, SourceLine, StageStop, Token, TokenSheet, Words } from "../../step_through/browser/scene.d.ts";

import type { Whole } from "../../step_through/browser/whole.d.ts";

export type NumberKind = "f4" | "f8" | "i4" | "u1" | "d4";

export type Stored = ["f4" | "f8" | "i4" | "u1" | "d4", number, number];

export type CellPath = [string, number[]];

/** What is kept of a tensor that is too large: the same window of each slice that can be chosen. */
export interface KeptPart {
  start: number[];
  size: number[];
  leads: Record<string, number>;
}

export interface KeptTensor {
  address: string;
  name: string;
  role: string;
  buffer: boolean;
  axes: string[];
  shape: number[];
  dtype: string;
  integers: boolean;
  note: string;
  scale: "share" | "signed" | "name";
  heads: number;
  lead: number[][];
  array: number | null;
  part: KeptPart | null;
  unmasked: string;
  two: number[] | null;
}

/** A sum whose terms read alike: the operands of term i stand `strides` × i behind those of the first. */
export interface TermForm {
  n: number;
  pieces: FormPiece[];
  strides: number[];
}

/** Text; a number; an operand, which is the next of the places; or the sum of the terms. */
export interface FormPiece {
  text?: string;
  number?: boolean;
  name?: string;
  tensor?: number;
  terms?: boolean;
}

/** How a line of arithmetic is written, for all cells of a tensor that are written alike. */
export interface Form {
  pieces: FormPiece[];
  alike: TermForm | null;
  terms: FormPiece[][];
  known: boolean;
  by_torch: boolean;
  has_value: boolean;
  follow: number;
}

/** The cells that have a form, each with the places of its operands, and its numbers. */
export interface FormCells {
  form: number;
  cells: number | null;
  n_cells: number;
  operands: number | null;
  numbers: number | null;
}

/** Where the numbers of a tensor stood before a call that only moves them: the tensor, and a place for each cell. */
export interface Moved {
  tensor: number;
  places: number;
}

export interface KeptPanel {
  tensor: number;
  name: string;
  sign: string;
  result: boolean;
  turned: boolean;
  part: string;
  origins: number[];
}

/** The lines of a function. */
export interface Listed {
  file: string;
  function: string;
  first: number;
  lines: SourceLine[];
  why: string;
}

export interface KeptSource {
  listing: number;
  lit: Lit | null;
  stack: Call[];
}

export interface KeptPlace {
  step: string;
  index: number;
  line: number;
  first: number;
  last: number;
  stage: number;
  moves: Record<"over" | "back" | "into" | "out" | "first" | "last" | "next_stage" | "previous_stage" | "next_block" | "previous_block", number>;
  grains: number[];
  source: KeptSource | null;
  panels: KeptPanel[];
  together: boolean;
  table: "tokens" | "bars" | "loss" | null;
  ends: string;
}

/** Words of a place; long texts by their place in `texts`. */
export interface Said {
  title: string;
  under: string;
  text: string;
  story: string[];
  more: number;
  formula: number;
  settings: string;
  opened: string;
  error: string;
  hint: string;
}

/** What is written in one language, with powers of ten or without. */
export interface Spoken {
  numbers: string;
  said: Said[];
  by_place: number[][];
  checks: Check[][];
}

/** What is said in one language, however its numbers are written. */
export interface OwnLanguage {
  map: StageStop[];
  at: Record<"stage" | "line" | "op", string>;
  stages: string[];
  depths: Record<string, string>;
  sums: Record<string, string>;
  words: Record<string, string>;
  whole: Whole;
  title: string;
  why: Record<string, string>;
  left_out: string[];
  command: string;
}

/** Where somebody had put other numbers: an index on each axis; None stands for all. */
export interface EditedCells {
  address: string;
  at: (number | null)[];
}

/** Where the page opens. */
export interface Start {
  lang: string;
  depth: string;
  place: number;
  focus: number;
  head: number;
  cell: [string, number[]] | null;
  trail: [string, number[]][];
  digits: number;
  map: string;
}

export interface Walk {
  arrays: (["f4" | "f8" | "i4" | "u1" | "d4", number, number])[];
  run: string;
  command: string;
  n_heads: number;
  first_of: Record<"stage" | "line" | "op", number>;
  counts: Record<"stage" | "line" | "op", number>;
  places: KeptPlace[];
  listings: Listed[];
  tensors: KeptTensor[];
  by_address: Record<string, number>;
  users: Record<string, number[]>;
  steps: Record<string, number>;
  origins: Origin[][];
  forms: Form[];
  arithmetic: Record<string, FormCells[]>;
  moved: Record<string, Moved[]>;
  tokens: Token[];
  pieces: Record<string, string>;
  parts: Record<string, string[]>;
  texts: string[];
  spoken: Record<string, Spoken>;
  languages: Record<string, OwnLanguage>;
  sheet: TokenSheet;
  bars: NextTokens[];
  loss: LossTable | null;
  edited: EditedCells[];
  start: Start;
}

/** What the page needs before the rest is unpacked. */
export interface Opening {
  scene: Scene;
  title: string;
}
