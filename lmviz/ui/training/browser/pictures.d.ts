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
