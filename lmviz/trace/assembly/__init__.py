"""From what was noted to a `Trace`: names, addresses, axes, and the tree of calls and statements."""
