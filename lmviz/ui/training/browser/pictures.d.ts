// Made from lmviz/ui/training/pictures_types.py:
// change that file, and run `python -m tools.browser_types`.

/** The numbers by which a visitor's runs are known, and the one that is given to new runs. */
export interface Owner {
  fresh: string;
  known: string[];
}

export type Shapes = number[][];

export interface Sizes {
  names: string[];
  colours: string[];
  parts: number[][];
  options: Record<string, number[][][]>;
}

/** One line of an update, as it is written. `x_y` is written with a small y below, `x^y` with one above. */
export interface UpdateLine {
  symbol: string;
  say: string;
  formula: string;
  numbers: string;
  sign: string;
  value: string;
  uses: string[];
}

/** The way of one weight through one step, line by line. */
export interface UpdateSum {
  of: string;
  lines: UpdateLine[];
}
