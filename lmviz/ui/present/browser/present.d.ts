// Made from lmviz/ui/present/present_types.py:
// change that file, and run `python -m tools.browser_types`.

/** An address as a QR code. */
export interface Code {
  address: string;
  rows: string[];
}

/** What is heard of Streamlit's own parts, which it names in English or not at all. */
export interface Names {
  ours: Record<string, string>;
  at: Record<string, string>;
}

export interface Presenting {
  lang: string;
  names: Names;
  words: Record<string, string>;
  on: boolean;
  scale: number;
  course: string;
  code: Code | null;
}
