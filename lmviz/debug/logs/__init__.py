"""Training logs as other programs print them: read into columns, each with a role that a reader can change."""
