"""The tokenizer page: how a text becomes tokens."""
