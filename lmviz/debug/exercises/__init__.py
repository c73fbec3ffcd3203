"""Exercises: predict, then reveal. Every answer is read off tensors of a run, or off a training that was run."""
