"""The training page: a plan of three parts, a run to watch, its past, and one of its steps opened."""
