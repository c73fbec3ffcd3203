"""Numbers that were not kept: a part of the model is run again; and the gradients of all that was recorded."""
