// Made from lmviz/ui/step_through/scene_types.py:
// change that file, and run `python -m tools.browser_types`.

import type { Line } from "../../browser/arithmetic.d.ts";

import type { Complex, OnHead, OnHeadOff, OnPin, OnUnpin, OnWindow, TensorPanel } from "../../browser/panel.d.ts";

export type Grain = "stage" | "line" | "op";

export type Move = "over" | "back" | "into" | "out" | "first" | "last" | "next_stage" | "previous_stage" | "next_block" | "previous_block";

export type ButtonMove = "over" | "back" | "into" | "out" | "first" | "last";

export type CellAt = [string, number[]];

/** A stop on the map. */
export interface StageStop {
  index: number;
  block: string | null;
  kind: string;
  label: string;
  shape: string;
  here: boolean;
}

export interface Token {
  text: string;
  id: number;
  here: boolean;
  unknown: boolean;
}

/** What was changed by hand. */
export interface EditChip {
  text: string;
  title: string;
}

export interface Watched {
  address: string;
  cell: number[];
  value: number | "NaN" | "Infinity" | "-Infinity" | null;
}

/** Something that must hold, with what was measured. */
export interface Check {
  label: string;
  measured: string;
  holds: boolean;
}

/** The bar at the bottom: where one is, and which moves lead somewhere. */
export interface Bar {
  grain: "stage" | "line" | "op";
  index: number;
  count: number;
  at: string;
  moves: Record<"over" | "back" | "into" | "out" | "first" | "last", string>;
  breakpoints: number;
  grad: boolean;
  can_grad: boolean;
  stopped: string;
  changed: string;
}

export interface Call {
  module: string;
  class: string;
  last: number;
}

export interface SourceLine {
  text: string;
  marks: [number, number, string][];
}

/** The expression that is lit. */
export interface Lit {
  lines: number[];
  columns: number[];
}

/** A listing; one that is hidden has no lines, and says why. */
export interface Source {
  file: string;
  function: string;
  first: number;
  lines: SourceLine[];
  lit: Lit | null;
  stops: number[];
  stack: Call[];
  why: string;
}

/** Title, sentences and formula of a place; what a place has not is empty. */
export interface Words {
  title: string;
  under: string;
  text: string;
  more: string;
  formula: string;
  hint: string;
  settings: string;
  opened: string;
  error: string;
}

/** A cell on the way to the pinned one. */
export interface Visited {
  cell: number[];
  name: string;
}

/** What another run has in the same cell, and the arithmetic of the difference. */
export interface Change {
  other: string;
  line: string;
}

/** A number written out, and whether that comes to what torch has. */
export interface Arithmetic {
  lines: Line[];
  recomputed: number | "NaN" | "Infinity" | "-Infinity" | Complex | null;
  agrees: boolean | null;
  by_torch: boolean;
}

/** What is said about the pinned cell. */
export interface Inspection extends Arithmetic {
  address: string;
  name: string;
  cell: number[];
  shape: number[];
  axes: string[];
  value: number | "NaN" | "Infinity" | "-Infinity" | Complex;
  whole: boolean;
  gradient: boolean;
  role: string;
  trail: Visited[];
  other: number | "NaN" | "Infinity" | "-Infinity" | Complex | null;
  change: Change | null;
  edited: boolean;
  fixed: boolean;
}

export interface TensorPicture {
  kind: "tensors";
  panels: TensorPanel[];
  hides?: boolean;
}

export interface TokenRow {
  text: string;
  id: number;
  span: number[] | null;
  unknown: boolean;
}

/** A text and its pieces; and those of the run that it is compared with. */
export interface TokenSheet {
  kind: "tokens";
  text: string | null;
  rows: TokenRow[];
  other: TokenSheet | null;
}

export interface NextToken {
  text: string;
  id: number;
  logit: number | "NaN" | "Infinity" | "-Infinity";
  scaled: number | "NaN" | "Infinity" | "-Infinity";
  p: number | "NaN" | "Infinity" | "-Infinity";
  b: number | "NaN" | "Infinity" | "-Infinity" | null;
  cells: [string, number[]][];
  target: boolean;
}

/** The likeliest next tokens. */
export interface NextTokens {
  kind: "bars";
  rows: NextToken[];
  rest: number | "NaN" | "Infinity" | "-Infinity";
  others: number;
  last: boolean;
  temperature: number | null;
  target: string | null;
}

/** The loss at the same position of another run. */
export interface OtherLoss {
  input: string;
  target: string | null;
  nll: number | "NaN" | "Infinity" | "-Infinity";
}

export interface LossRow {
  input: string;
  target: string | null;
  p: number | "NaN" | "Infinity" | "-Infinity";
  nll: number | "NaN" | "Infinity" | "-Infinity";
  cell: [string, number[]];
  b: OtherLoss | null;
}

/** The loss by position, and its mean. */
export interface LossTable {
  kind: "loss";
  rows: LossRow[];
  mean: number | "NaN" | "Infinity" | "-Infinity";
  b_mean: number | "NaN" | "Infinity" | "-Infinity" | null;
  cell: [string, number[]];
  n_texts: number;
  target: string | null;
}

export type Picture = TensorPicture | TokenSheet | NextTokens | LossTable;

export interface FoundPlace {
  address: string;
  stage: string;
}

/** What is found for a text that somebody types to go somewhere. */
export interface Search {
  text: string;
  places: FoundPlace[];
  n_more: number;
}

/** All that is shown at one place. */
export interface Place {
  lang: string;
  run: string;
  digits: number;
  present: boolean;
  parts: string[];
  map: StageStop[];
  tokens: Token[];
  edits: EditChip[];
  source: Source | null;
  picture: TensorPicture | TokenSheet | NextTokens | LossTable;
  say: Words;
  inspector: Inspection | null;
  watch: Watched[];
  strip: Check[];
  bar: Bar;
}

export type Changes = Partial<Place>;

/** A place, with others that the browser can draw before it is told. */
export interface Scene extends Place {
  ahead: Partial<Place>[];
  frame: string;
  seq: number;
  compared: string;
  search: Search | null;
  words: Record<string, string>;
}

export interface OnMove {
  type: "move";
  move: "over" | "back" | "into" | "out" | "first" | "last" | "next_stage" | "previous_stage" | "next_block" | "previous_block";
  times: number;
  play?: boolean;
}

export interface OnGrain {
  type: "grain";
  grain: "stage" | "line" | "op";
}

export interface OnIndex {
  type: "stage" | "trail" | "undo";
  index: number;
}

export interface OnCall {
  type: "call";
  last: number;
}

export interface OnStop {
  type: "stop";
  stop: string;
}

export interface OnFocus {
  type: "focus";
  pos: number;
}

export interface OnCell {
  type: "walk" | "watch";
  address: string;
  cell: number[];
  gradient?: boolean;
}

export interface OnEdit {
  type: "edit";
  address: string;
  cell: number[];
  value: number;
}

export interface OnGradient {
  type: "grad";
  grad: boolean;
}

export interface OnToken {
  type: "append";
  id: number;
}

export interface OnTemperature {
  type: "temperature";
  temperature: number;
}

export interface OnTarget {
  type: "target";
  target: string;
}

export interface OnSearch {
  type: "search";
  text: string | null;
}

export interface OnGo {
  type: "go";
  address: string;
}

export interface OnButton {
  type: "run" | "reset" | "compare_off" | "end";
}

export type Event = OnPin | OnUnpin | OnHead | OnHeadOff | OnWindow | OnMove | OnGrain | OnIndex | OnCall | OnStop | OnFocus | OnCell | OnEdit | OnGradient | OnToken | OnTemperature | OnTarget | OnSearch | OnGo | OnButton;
