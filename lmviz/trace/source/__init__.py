"""What the source says: from an instruction to its expression, and from a model to its files and names."""
