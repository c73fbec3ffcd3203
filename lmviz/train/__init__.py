"""Training: recipes, windows of tokens, a loop that yields snapshots, and the losses to compare with."""
