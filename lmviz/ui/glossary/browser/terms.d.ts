// Made from lmviz/ui/glossary/terms_types.py:
// change that file, and run `python -m tools.browser_types`.

/** A term and what it means. */
export interface Term {
  forms: string[];
  says: string;
}

export interface Terms {
  lang: string;
  words: Record<string, string>;
  terms: Term[];
}
