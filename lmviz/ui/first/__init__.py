"""The first page: a sentence is being guessed, and the visitor taps what comes next."""
