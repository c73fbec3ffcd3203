"""Quantisation: the same model in fewer bits, what that does to every weight, and what it costs."""
