"""Numbers as text: one rule for digits, which the browser's `written` follows too.

A number is written with so many decimals, and with at least so many significant digits: at 2, 12.35, 0.44, 0.0029. What
would begin with more zeros than that, or is very long, has a power of ten: 1.2e-7. Ties round away from zero.

A *plain* number is one that nobody needs to know powers of ten to read: so many decimals, and as many more as its first
digit needs: 0.0004, 0.0000001, 12345678. Only what no line has room for keeps its power.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal

LARGE, SMALL = 6, -4  # powers of ten from where on, and below which, a number is written with one
PLAIN_LARGE, PLAIN_SMALL = 15, -9  # the same for plain numbers
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def rounded(value: float, digits: int, plain: bool = False) -> str:
    """A number in plain text, with a point and a hyphen: "-0.0029", "1.2e-7", "nan", "inf".

    Args:
        value: a float, or an int of any size.
        digits: decimals, and significant digits at least; of a plain number one.
        plain: whether powers of ten are left out.

    >>> rounded(12.3456, 2), rounded(0.00291, 2), rounded(1.234e-7, 2), rounded(0.0, 2), rounded(10**30, 2)
    ('12.35', '0.0029', '1.2e-7', '0.00', '1.0e30')
    >>> rounded(0.00037, 2, plain=True), rounded(1.234e-7, 2, plain=True), rounded(12345678.9, 2, plain=True)
    ('0.0004', '0.0000001', '12345679')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    exact = Decimal(value if isinstance(value, int) else float(value))
    power = exact.adjusted() if exact else 0
    small, large = (PLAIN_SMALL, PLAIN_LARGE) if plain else (SMALL, LARGE)
    if exact and not small <= power < large:
        return _with_power(exact, max(digits, 1))
    decimals = _decimals(digits, power, plain) if exact else digits
    shown = exact.quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    if abs(shown) >= 10**large:
        return _with_power(exact, max(digits, 1))
    return f"{shown:f}" if shown else f"{abs(shown):f}"


def _decimals(digits: int, power: int, plain: bool) -> int:
    if digits == 0 or (plain and power >= LARGE):
        return 0
    return max(digits, -power if plain else digits - 1 - power)


def _with_power(exact: Decimal, digits: int) -> str:
    power = exact.adjusted()
    mantissa = exact.scaleb(-power, context=_EXACT).quantize(Decimal(1).scaleb(1 - digits), context=_EXACT)
    if abs(mantissa) >= 10:
        mantissa, power = (mantissa / 10).quantize(Decimal(1).scaleb(1 - digits), context=_EXACT), power + 1
    return f"{mantissa:f}e{power}"


def whole(value: float) -> str:
    """A whole number: "12", and "1.0e30" where it is very long."""
    return rounded(value, 1) if abs(value) >= 10**15 else str(int(value))
