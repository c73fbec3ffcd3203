"""The course: its chapters, each a Markdown file, and how far a visitor has come.

`docs/chapters.md` says how to write a chapter. Read `chapter`, then `reading`; `front_matter` finds the line of what is
wrong, `folders` the files; `progress` and `quiz` are what their names say.
"""
