"""The checks that every architecture makes of its sizes, kept apart so that they stay out of the lesson."""

from __future__ import annotations

import math
from typing import Any

from torch import Size

from lmviz.errors import UserError

LARGEST = 2**31 - 1  # of any size or count: what all that we work with can still count to
_LARGEST_NUMBER = 1e38  # of what is no count: float32 ends at 3.4e38
_LARGEST_OF = {"n_layers": 1_000}  # every layer is Python objects by the dozen, whatever its weights


def check_sizes(**sizes: object) -> None:
    """Every size is a whole number from 1 up (True is not one), and none is absurd."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UserError("{name} must be a whole number, 1 or more; got {size!r}.", name=name, size=size)
        _check_limit(name, size, _LARGEST_OF.get(name, LARGEST))


def size_in(config_json: dict[str, Any], name: str) -> int:
    """One size of a model's config.json; a UserError if it is none."""
    size = config_json.get(name)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError("{name} in config.json must be a whole number, 1 or more; got {size!r}.", name=name, size=size)
    return size


def check_heads(d_model: int, n_heads: int) -> None:
    if d_model % n_heads:
        raise UserError(
            "d_model must be a multiple of n_heads, so that every head gets the same width; "
            "got d_model={d_model}, n_heads={n_heads}.",
            d_model=d_model,
            n_heads=n_heads,
        )


def share_of(d_model: int, n_heads: int, d_head: int) -> int:
    """The width of a head: what is said, or, for 0, an equal share of the model's."""
    if d_head:
        check_sizes(d_head=d_head)
        return d_head
    check_heads(d_model, n_heads)
    return d_model // n_heads


def one_for_each(n_heads: int, n_kv_heads: int) -> int:
    """How many heads have a key and a value of their own: what is said, or, for 0, all."""
    if not n_kv_heads:
        return n_heads
    check_sizes(n_kv_heads=n_kv_heads)
    if n_heads % n_kv_heads:
        raise UserError(
            "n_heads must be a multiple of n_kv_heads, so that equally many heads share each key; "
            "got n_heads={n_heads}, n_kv_heads={n_kv_heads}.",
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
        )
    return n_kv_heads


def check_even(**sizes: int) -> None:
    for name, size in sizes.items():
        if size % 2:
            raise UserError(
                "{name} must be even, so that its numbers can be turned in pairs; got {size}.", name=name, size=size
            )


def check_flags(bias_qkv: bool, bias_o: bool, bias_mlp: bool, norm_qk: bool) -> None:
    """Biases and norms as Llama, Qwen 2 or Qwen 3 have them: no other model reads a folder with others."""
    flags = {"bias_qkv": bias_qkv, "bias_o": bias_o, "bias_mlp": bias_mlp, "norm_qk": norm_qk}
    llama = bias_qkv == bias_o and not norm_qk
    qwen_2 = not (bias_o or bias_mlp or norm_qk)
    qwen_3 = bias_qkv == bias_o and not bias_mlp
    if not (llama or qwen_2 or qwen_3):
        raise UserError(
            "Biases and norms must be those of Llama, Qwen 2 or Qwen 3; no such model has {flags} alone.",
            flags=", ".join(name for name, is_on in flags.items() if is_on),
        )


def check_fraction(**fractions: object) -> None:
    """Every fraction is a number from 0 up to, but not, 1."""
    for name, fraction in fractions.items():
        if not isinstance(fraction, (int, float)) or isinstance(fraction, bool) or not 0 <= fraction < 1:
            raise UserError(
                "{name} must be a number from 0 up to, but not including, 1; got {fraction!r}.",
                name=name,
                fraction=fraction,
            )


def check_above_zero(**numbers: object) -> None:
    """Every number is finite and above 0, and none is absurd."""
    for name, number in numbers.items():
        good = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
        if not good or not number > 0:  # type: ignore[operator]
            raise UserError("{name} must be a finite number above 0; got {number!r}.", name=name, number=number)
        _check_limit(name, number, _LARGEST_NUMBER)


def check_not_below_zero(**numbers: float) -> None:
    """Every number is 0 or more, and none is absurd."""
    for name, number in numbers.items():
        if not number >= 0:
            raise UserError("{name} must be 0 or more; got {number}.", name=name, number=number)
        _check_limit(name, number, LARGEST)


def _check_limit(name: str, number: Any, limit: float) -> None:
    if number > limit:
        raise UserError("{name} must be {limit} at most; got {size}.", name=name, limit=limit, size=number)


def check_choice(name: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise UserError(
            "{name} must be one of {choices}; got {choice!r}.", name=name, choices=", ".join(choices), choice=choice
        )


def check_ids(shape: Size, n_ctx: int) -> None:
    """Ids are [batch, pos] with 1 to n_ctx positions: the model has no embedding for a later position."""
    if len(shape) != 2:
        raise UserError("The ids must have two axes, batch and pos; got shape {shape}.", shape=list(shape))
    if not 1 <= shape[1] <= n_ctx:
        raise UserError(
            "This model reads 1 to {n_ctx} tokens at once; got {n_pos}: use a text of another length.",
            n_ctx=n_ctx,
            n_pos=shape[1],
        )
