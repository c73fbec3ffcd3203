"""What a type of number can hold: whole numbers wrap around, floats are rounded, and too large ones are infinite."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch

from lmviz.trace.operations.explanation import Floats, Number

BITS = {
    **{"int8": 8, "int16": 16, "int32": 32, "int64": 64},
    **{"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64},
}
_PARTS = {"complex64": "float32", "complex32": "float16", "complex128": "float64"}
_FLOAT8 = {"float8_e4m3fn": (4, 7), "float8_e5m2": (5, 15)}  # bits of the exponent, and what is taken off it


def cast(value: Any, dtype: str) -> Number:
    """A number as a type of torch's holds it: a Python int, a float or a complex number becomes a float or a complex.

    A float that no whole number of the type equals is cut off behind the point; if it is too large, or NaN, the result
    is what this machine's processor makes of it, as torch has it.

    Raises:
        NotImplementedError: we don't know how the type rounds.
    """
    if dtype == "bool":
        return float(value != 0)
    if dtype in BITS:
        return float(_wrapped(value if isinstance(value, int) else _whole(value, dtype), dtype))
    if dtype in _PARTS:
        number = complex(value)
        return complex(*(float(_rounded(part, _PARTS[dtype])) for part in (number.real, number.imag)))
    return float(_rounded(as_float(value), dtype))


def is_out_of_range(value: complex, dtype: str) -> bool:
    """Whether a float is too large for a type of whole numbers, or is none, so that a processor has its own way."""
    if dtype not in BITS:
        return False
    return not (abs(value) < 2.0 ** (max(BITS[dtype], 32) - 1))


def as_float(value: Any) -> float:
    """A real number as a float; a whole one that is too large for that is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _wrapped(number: int, dtype: str) -> int:
    size = 1 << BITS[dtype]
    number %= size
    return number - size if dtype.startswith("i") and number >= size // 2 else number


def _whole(value: float, dtype: str) -> int:
    """A float as the processor cuts it off: the narrow types take the way through 32 bits."""
    with np.errstate(all="ignore"):
        return int(np.float64(value).astype(np.int32 if BITS[dtype] < 32 else dtype))


def _rounded(value: float, dtype: str) -> float:
    """The nearest number of a type of float; float32 and float64 are left as they are, unless they overflow."""
    with np.errstate(all="ignore"):
        if dtype == "float64" or math.isnan(value):
            return value
        single = np.float32(value)
        if dtype == "float32":
            return float(single) if np.isinf(single) else value
        if dtype == "float16":
            return float(np.float16(single))
        if dtype == "bfloat16":
            return float(_bfloat16(single))
    if dtype in _FLOAT8:
        return _nearest(float(single), dtype)
    raise NotImplementedError(f"numbers of type {dtype}")


def _bfloat16(single: np.float32) -> np.float32:
    """The upper half of the bits of a float32, rounded to the nearest, to even if there are two."""
    bits = int(single.view(np.uint32))
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return np.uint32(bits).view(np.float32)


@lru_cache(maxsize=2)
def _float8(dtype: str) -> Floats:
    """The finite numbers of a type of 8 bits that are 0 or more, in the order of their bits."""
    exponent_bits, bias = _FLOAT8[dtype]
    mantissa_bits = 7 - exponent_bits
    exponent, mantissa = np.divmod(np.arange(1 << 7), 1 << mantissa_bits)
    share = mantissa / (1 << mantissa_bits)
    numbers: Floats = np.where(exponent == 0, share * 2.0 ** (1 - bias), (1 + share) * 2.0 ** (exponent - bias))
    return numbers[: -1 if dtype == "float8_e4m3fn" else -(1 << mantissa_bits)]


@cache
def _too_large(dtype: str) -> float:
    """∞; a type that has none has NaN in torch 2.12, and its largest number since."""
    return float(torch.tensor(math.inf).to(getattr(torch, dtype)))


def _nearest(value: float, dtype: str) -> float:
    """Rounded to even between two; what would be rounded to more than the largest is too large."""
    finite = _float8(dtype)
    size, above = abs(value), 2 * finite[-1] - finite[-2]
    middle = (finite[-1] + above) / 2
    if size > middle or (size == middle and dtype == "float8_e5m2"):
        return math.copysign(_too_large(dtype), value)
    if size >= finite[-1]:
        return math.copysign(float(finite[-1]), value)
    after = int(np.searchsorted(finite, size))
    before = max(after - 1, 0)
    low, high = size - finite[before], finite[after] - size
    chosen = before if low < high or (low == high and before % 2 == 0) else after
    return math.copysign(float(finite[chosen]), value)
