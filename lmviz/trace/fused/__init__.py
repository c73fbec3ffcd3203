"""Fused calls written out: what attention or a recurrent network computes at once, line by line."""
