"""What only those who work on lmviz need."""
