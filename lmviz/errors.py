"""The errors a user can cause: one sentence each, which pages can translate."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input, told in one sentence: what must hold, what came instead, what to do.

    The sentence is a template with named placeholders, so that `ui` can look up its translation and fill in the same
    details. Outside the app it reads as any other exception, in English.

    >>> str(UserError("{name} is missing: add it.", name="config.json"))
    'config.json is missing: add it.'
    """

    def __init__(self, sentence: str, /, **details: object) -> None:
        super().__init__(sentence.format(**details))
        self.sentence = sentence
        self.details = details
