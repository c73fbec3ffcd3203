"""The page of quantisation: a model in fewer bits, and what that costs."""
