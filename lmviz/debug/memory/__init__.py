"""Memory: estimated by formulas, measured in a process of its own, and run out of on purpose."""
