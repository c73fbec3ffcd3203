// Made from lmviz/ui/tokenizer/pictures_types.py:
// change that file, and run `python -m tools.browser_types`.

/** A box around a piece of text. */
export interface PieceBox {
  text: string;
  below?: string;
  share?: number;
  hue?: number;
  key?: number;
  marks?: string[];
  sign?: string;
  title?: string;
  breaks?: boolean;
}

export interface Pieces {
  pieces: PieceBox[];
  clicks: boolean;
  chosen: number | null;
  height: number;
  roomy: boolean;
  empty: string;
}

export interface Kind {
  name: string;
  title: string;
  count: number;
}

export interface Kinds {
  rows: Kind[];
  chosen: string;
  total: number;
}

export interface Pair {
  left: string;
  right: string;
  count: number;
}

export interface Pairs {
  pairs: Pair[];
  asked: number | null;
}

export interface NewPiece {
  text: string;
  new: boolean;
}

export interface CutWord {
  pieces: NewPiece[];
  then?: boolean;
}

export interface CutWords {
  text: CutWord[];
  more: number;
}

export interface VariantPiece {
  text: string;
  id: number;
}

export interface Variant {
  text: string;
  pieces: VariantPiece[];
  same: boolean;
}

export interface Variants {
  rows: Variant[];
}
