"""The site: pages that need no server and no Python, built from the course, the models and the docs.

    python -m lmviz.site OUT

Read `build` first: which pages there are. `walks` are the recordings that they link to, `frame` is what stands around
each page, `done` does the course's tasks, so that an answer has the numbers of a real run.
"""
