// Made from lmviz/ui/step_through/heads_types.py:
// change that file, and run `python -m tools.browser_types`.

/** One head. The texts are what its picture shows, for who cannot see it. */
export interface HeadPicture {
  head: number;
  cells: string;
  best: string;
  share: string;
  without: string;
  change: number;
}

export interface Heads {
  heads: HeadPicture[];
  tokens: string[];
  focus: number | null;
  chosen: number;
  scale: "share" | "signed" | "name";
  peak: number;
  said: string;
}

export interface OnHead {
  type: "head";
  head: number;
}
