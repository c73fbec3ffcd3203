"""The step-through as one file: a page that draws itself, with its arithmetic, where nothing answers it."""
