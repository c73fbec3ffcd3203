"""The debugging page: what goes wrong in training a language model, and how one finds it."""
