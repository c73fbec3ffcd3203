// Made from lmviz/ui/course/pictures_types.py:
// change that file, and run `python -m tools.browser_types`.

/** What is done, as a link writes it, and how often the course was begun anew; -1: not known yet. */
export interface Kept {
  since: number;
  done: string;
}
