"""Numbers as text: one rule for digits, which the browser's `written` follows too.

A number is written with so many decimals, and with at least so many significant digits: at 2, 12.35, 0.44, 0.0029. What
would begin with more zeros than that, or is very long, has a power of ten: 1.2e-7. Ties round away from zero.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal

LARGE, SMALL = 6, -4  # powers of ten from where on, and below which, a number is written with one
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


def rounded(value: float, digits: int) -> str:
    """A number in plain text, with a point and a hyphen: "-0.0029", "1.2e-7", "nan", "inf".

    Args:
        value: a float, or an int of any size.
        digits: decimals, and significant digits at least.

    >>> rounded(12.3456, 2), rounded(0.00291, 2), rounded(1.234e-7, 2), rounded(0.0, 2), rounded(10**30, 2)
    ('12.35', '0.0029', '1.2e-7', '0.00', '1.0e30')
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    exact = Decimal(value if isinstance(value, int) else float(value))
    power = exact.adjusted() if exact else 0
    if exact and not SMALL <= power < LARGE:
        return _with_power(exact, max(digits, 1))
    decimals = digits if digits == 0 or not exact else max(digits, digits - 1 - power)
    shown = exact.quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    if abs(shown) >= 10**LARGE:
        return _with_power(exact, max(digits, 1))
    return f"{shown:f}" if shown else f"{abs(shown):f}"


def _with_power(exact: Decimal, digits: int) -> str:
    power = exact.adjusted()
    mantissa = exact.scaleb(-power, context=_EXACT).quantize(Decimal(1).scaleb(1 - digits), context=_EXACT)
    if abs(mantissa) >= 10:
        mantissa, power = (mantissa / 10).quantize(Decimal(1).scaleb(1 - digits), context=_EXACT), power + 1
    return f"{mantissa:f}e{power}"


def whole(value: float) -> str:
    """A whole number: "12", and "1.0e30" where it is very long."""
    return rounded(value, 1) if abs(value) >= 10**15 else str(int(value))
