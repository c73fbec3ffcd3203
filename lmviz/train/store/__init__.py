"""Runs on disk: one SQLite file for what is measured, one folder a run for its recipe and its checkpoints."""
