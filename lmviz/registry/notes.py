"""What happened to a text on its way into a model, in sentences for whoever typed it."""

from __future__ import annotations

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokens
from lmviz.registry.tokens import last_tokens

PROMPT_LIMIT = 4000  # characters
SHOWN = 8  # tokens that a sentence names

Notes = tuple[tuple[str, dict[str, object]], ...]  # sentences, and what stands in them


def check_length(prompt: str) -> None:
    """Refuse a prompt that would make every page slow."""
    if len(prompt) > PROMPT_LIMIT:
        raise UserError(
            "A prompt can have {limit} characters at most, so that every page stays quick; this one has {found}: "
            "shorten it.",
            limit=PROMPT_LIMIT,
            found=len(prompt),
        )


def notes_of_model(checkpoint: Checkpoint) -> Notes:
    """Why it is not the lesson of its architecture."""
    if checkpoint.not_the_lesson is None:
        return ()
    said = "{why} So this is the model as the library transformers builds it, with its own source."
    return ((said, {"why": checkpoint.not_the_lesson}),)


def notes_of_prompt(tokens: Tokens, n_ctx: int) -> Notes:
    """Tokens that don't fit into the context, or that the vocabulary lacks."""
    notes: list[tuple[str, dict[str, object]]] = []
    if left_out := max(0, len(tokens) - n_ctx):
        notes.append(
            (
                "The text is {total} tokens long and the model reads {n_ctx}: the first {left_out} are left out.",
                {"total": len(tokens), "n_ctx": n_ctx, "left_out": left_out},
            )
        )
    read = last_tokens(tokens, n_ctx)
    unknown = [piece for piece, is_unknown in zip(read.pieces, read.unknown, strict=True) if is_unknown]
    if unknown:
        pieces = ", ".join(unknown[:SHOWN])
        notes.append(("The model does not know {pieces}: it reads its unknown token there.", {"pieces": pieces}))
    if tokens.dropped:
        pieces = ", ".join(dict.fromkeys(text for _, text in tokens.dropped[:SHOWN]))
        notes.append(("The model has no token for {pieces}: left out.", {"pieces": pieces}))
    return tuple(notes)


def notes_of_target(checkpoint: Checkpoint, target: str) -> Notes:
    """What became of the text that came next."""
    following = checkpoint.tokenizer.encode(target)
    if target and not len(following):
        return (("The model has no token for {text}, which came next: the loss leaves it out.", {"text": target}),)
    if target and following.unknown[0]:
        return (
            ("The model does not know {text}, which came next: its unknown token is judged instead.", {"text": target}),
        )
    if len(following) > 1:
        return (
            ("Only {piece} is judged of what came next: a loss is about one token.", {"piece": following.pieces[0]}),
        )
    return ()
