"""Names, indices and numbers in LaTeX."""

from __future__ import annotations

import re

from lmviz.trace.step import Cell, Step

_SPECIAL = re.compile(r"([_#$%&{}])")


def symbol(name: str, *indices: object) -> str:
    r"""A name with indices in LaTeX: `\mathrm{w\_q}_{0,i}`; one letter stays italic."""
    plain = name.replace("\\", "").replace("^", "").replace("~", "")
    escaped = _SPECIAL.sub(r"\\\1", plain)
    base = plain if len(plain) == 1 and plain.isalpha() else rf"\mathrm{{{escaped}}}"
    return base + (f"_{{{','.join(map(str, indices))}}}" if indices else "")


def numeral(number: complex) -> str:
    r"""A number in LaTeX: `2.5`, `10^{-5}`, `-\infty`, `1 - 2i`."""
    if isinstance(number, complex):
        sign = "-" if number.imag < 0 else "+"
        return f"{numeral(number.real)} {sign} {numeral(abs(number.imag))}i"
    digits, _, exponent = f"{number:g}".partition("e")
    if exponent:
        power = f"10^{{{int(exponent)}}}"
        return power if digits == "1" else rf"{digits} \cdot {power}"
    return digits.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")


def result(step: Step, cell: Cell, output: int = 0) -> str:
    """The left side of a formula: the cell that is explained."""
    return symbol(step.outputs[output].name or step.op, *cell)
