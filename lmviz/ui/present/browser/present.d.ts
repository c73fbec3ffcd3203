// Made from lmviz/ui/present/present_types.py:
// change that file, and run `python -m tools.browser_types`.

/** An address as a QR code. */
export interface Code {
  address: string;
  rows: string[];
}

export interface Presenting {
  lang: string;
  words: Record<string, string>;
  on: boolean;
  scale: number;
  course: string;
  code: Code | null;
}
