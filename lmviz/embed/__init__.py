"""Embeddings: rows of a matrix, sums of parts, points on a map, and vectors of words learned from their neighbours."""
