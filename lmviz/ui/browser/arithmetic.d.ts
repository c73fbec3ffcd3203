// Made from lmviz/ui/arithmetic_types.py:
// change that file, and run `python -m tools.browser_types`.

/** A piece of a line: text, a number, an operand that can be followed, or a sum of terms. */
export interface Piece {
  text?: string;
  shown?: string;
  held?: boolean;
  name?: string;
  address?: string;
  cell?: number[];
  gradient?: boolean;
  seen?: Seen;
  terms?: SumTerm[];
  short?: number[];
  rest?: Rest[];
}

export interface Seen {
  address: string;
  cell: number[];
}

export interface SumTerm {
  pieces: Piece[];
}

/** What the terms that are not shown come to, and how many they are. */
export interface Rest {
  shown: string;
  held: boolean;
  n: number;
}

/** What a number is, the sign, and the arithmetic. */
export interface Line {
  value: string;
  sign: string;
  pieces: Piece[];
  say?: string;
}
