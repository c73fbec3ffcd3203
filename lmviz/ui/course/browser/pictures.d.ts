// Made from lmviz/ui/course/pictures_types.py:
// change that file, and run `python -m tools.browser_types`.

/** What is done, as a link writes it, and how often the course was begun anew; -1: not known yet. */
export interface Kept {
  since: number;
  done: string;
  at: string;
  look: string;
}

/** Where the window that shows the notes is: a chapter and its task, "attention.2"; empty: nowhere yet. */
export interface Followed {
  at: string;
  minutes: number;
}
