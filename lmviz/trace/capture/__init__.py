"""While the model runs: every torch call is noted, and the tensors that it used and made are held."""
