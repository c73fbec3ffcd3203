"""The page of embeddings: how ids become vectors, and what can be read off them."""
