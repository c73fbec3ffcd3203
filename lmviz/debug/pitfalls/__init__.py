"""The guide's pitfalls: each a training that goes wrong, really run, and the same with each of its cures."""
