// Made from lmviz/ui/step_through/whole_types.py:
// change that file, and run `python -m tools.browser_types`.

/** A stage. Numbers are base64: float32 where they are read, int8 of `peak` where they only give a colour. */
export interface WholePart {
  stage: number;
  kind: string;
  label: string;
  block: number | null;
  is_stream: boolean;
  lengths: string | null;
  grades: string | null;
  peak: number;
  shares: string | null;
}

/** A block, or neighbours drawn as one, with their first and last stage. */
export interface WholeBlock {
  name: string;
  first: number;
  last: number;
}

export interface WholeLane {
  text: string;
  first: number;
  last: number;
}

export interface WholeChance {
  text: string;
  share: number;
}

/** The likeliest next tokens behind a lane, and how likely all others are. */
export interface WholeChances {
  top: WholeChance[];
  others: number;
  rest: number;
}

/** The checkpoints of a run, and the one that is shown. */
export interface WholeTimes {
  steps: number[];
  at: number;
}

export interface Whole {
  lang: string;
  run: string;
  name: string;
  map: string;
  heads: number[];
  n_heads: number;
  lanes: WholeLane[];
  blocks: WholeBlock[];
  most_blocks: number;
  parts: WholePart[];
  chances: WholeChances[];
  times: WholeTimes | null;
  walked: boolean;
  words: Record<string, string>;
}

export interface OnTime {
  type: "time";
  step: number;
}

export interface OnMap {
  type: "map";
  map: string;
}
