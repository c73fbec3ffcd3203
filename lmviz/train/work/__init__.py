"""The processes that train: each takes a run from the queue, and tells the store what comes of it."""
