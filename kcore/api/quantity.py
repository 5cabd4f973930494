"""Quantities: `100m`, `1.5Gi`, `12e6`. Exact fixed-point numbers that remember which kind of suffix they had.

The rules are apimachinery's `resource.Quantity`: parse, keep the client's spelling where it is already canonical,
otherwise write the number with the largest suffix that leaves no fraction. What is finer than a nano is rounded up;
what is above 2^63-1 with a binary suffix is capped.

A quantity is held as an integer number of nanos; arithmetic never touches a float.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

__all__ = [
    "ParsedQuantity",
    "QuantityError",
    "add",
    "canonical",
    "compare",
    "in_binary",
    "int_value",
    "milli_value",
    "parse",
    "subtract",
    "total",
]

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_SPLIT = re.compile(r"([+-]?)([0-9]*)(?:(\.)([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_WRONG_NUMBER = "unable to parse numeric part of quantity"
_WRONG_SUFFIX = "unable to parse quantity's suffix"

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_BINARY_SUFFIX = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_MAX = 2**63 - 1
_NANO = 10**9
# Beyond these, text describes no number that anyone can mean, only the memory it would take.
_EXPONENT_MAX = 1000
_DIGITS_MAX = 4000


class QuantityError(ValueError):
    """Text that is no quantity; the message is upstream's."""


class ParsedQuantity(NamedTuple):
    """`nanos` is exact: nothing finer survives parsing. `text` is the canonical spelling."""

    nanos: int
    format: Format
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> int:
        """Whole units, rounded up (away from zero for what is negative, as upstream does)."""
        return _round_up(self.nanos, _NANO)

    @property
    def milli_value(self) -> int:
        """Thousandths, rounded up."""
        return _round_up(self.nanos, 10**6)

    @property
    def exact(self) -> Fraction:
        return Fraction(self.nanos, _NANO)


@lru_cache(maxsize=16384)
def parse(text: str) -> ParsedQuantity:
    """Raises QuantityError."""
    match = _SPLIT.fullmatch(text)
    if not text or match is None:
        raise QuantityError(_WRONG_FORMAT)
    sign, whole, _, fraction, suffix = match.groups()
    fraction = fraction or ""
    exponent, form = _interpret(suffix)
    digits = whole.lstrip("0") or "0"
    if len(digits) + len(fraction) > _DIGITS_MAX:
        raise QuantityError(_WRONG_NUMBER)
    number = int(digits + fraction)
    if form == "BinarySI":
        nanos = _ceil(number * 2**exponent * _NANO, 10 ** len(fraction))
        nanos = min(nanos, _MAX * _NANO)
        kept = not fraction and exponent % 10 == 0 and bool(number & 7) and _fits_binary(digits, number, exponent)
        if 0 < nanos < _NANO:
            form = "DecimalSI"
    else:
        scale = exponent - len(fraction)
        nanos = number * 10 ** (scale + 9) if scale >= -9 else _ceil(number, 10 ** (-9 - scale))
        shifted = digits + fraction
        kept = (
            scale % 3 == 0 and scale >= -9 and len(shifted) <= 18 and shifted[0] != "0" and not shifted.endswith("000")
        )
    if sign == "-":
        nanos = -nanos
    return ParsedQuantity(nanos, form, text if kept else _write(nanos, form))


def canonical(text: str) -> str:
    """The spelling that the API answers for what a client wrote. Raises QuantityError."""
    return parse(text).text


def int_value(text: str) -> int:
    """Whole units, rounded up."""
    return parse(text).value


def in_binary(units: int) -> str:
    """A number of whole units in powers of 1024, as far as that goes: `3Gi`."""
    return _write(units * _NANO, "BinarySI")


def milli_value(text: str) -> int:
    """Thousandths, rounded up: `"0.5"` -> 500."""
    return parse(text).milli_value


def compare(a: str, b: str) -> int:
    """Below, at or above zero as `a` is less than, equal to or more than `b`."""
    left, right = parse(a).nanos, parse(b).nanos
    return (left > right) - (left < right)


def add(a: str, b: str) -> str:
    """The sum, in the suffix kind of `a` (of `b` where `a` is zero)."""
    return _combine(parse(a), parse(b), 1)


def total(a: ParsedQuantity, b: ParsedQuantity) -> ParsedQuantity:
    """`add` for who keeps adding: what `parse` would read in the sum, without writing and reading it."""
    form = a.format if a.nanos else b.format
    text = _write(a.nanos + b.nanos, form)
    if form == "BinarySI" and not text.endswith("i"):
        form = "DecimalSI"
    return ParsedQuantity(a.nanos + b.nanos, form, text)


def subtract(a: str, b: str) -> str:
    """The difference, in the suffix kind of `a` (of `b` where `a` is zero)."""
    return _combine(parse(a), parse(b), -1)


def _combine(a: ParsedQuantity, b: ParsedQuantity, sign: int) -> str:
    return _write(a.nanos + sign * b.nanos, a.format if a.nanos else b.format)


def _interpret(suffix: str) -> tuple[int, Format]:
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], "DecimalSI"
    if suffix in _BINARY:
        return _BINARY[suffix], "BinarySI"
    if len(suffix) > 1 and suffix[0] in "eE":
        try:
            exponent = int(suffix[1:])
        except ValueError:
            raise QuantityError(_WRONG_SUFFIX) from None
        if abs(exponent) > _EXPONENT_MAX:
            raise QuantityError(_WRONG_SUFFIX)
        return exponent, "DecimalExponent"
    raise QuantityError(_WRONG_SUFFIX)


def _fits_binary(digits: str, number: int, exponent: int) -> bool:
    """Whether upstream parses it in int64, where alone the client's spelling is kept."""
    return 15 - len(digits) - int(exponent * 3 / 10) - 1 >= 0 and number * 2**exponent <= _MAX


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _round_up(nanos: int, unit: int) -> int:
    return _ceil(nanos, unit) if nanos >= 0 else -_ceil(-nanos, unit)


def _write(nanos: int, form: Format) -> str:
    if nanos == 0:
        return "0"
    units, rest = divmod(abs(nanos), _NANO)
    if form == "BinarySI" and not rest and units >= 1024:
        steps = min(((units & -units).bit_length() - 1) // 10, 6)  # how often 1024 divides it
        text = f"{units >> 10 * steps}{_BINARY_SUFFIX[steps]}"
    else:
        text = _write_decimal(abs(nanos), "DecimalSI" if form == "BinarySI" else form)
    return f"-{text}" if nanos < 0 else text


def _write_decimal(nanos: int, form: Format) -> str:
    exponent = -9
    highest = 18 if form == "DecimalSI" else _EXPONENT_MAX
    while nanos % 1000 == 0 and exponent < highest:
        nanos //= 1000
        exponent += 3
    if form == "DecimalSI":
        return f"{nanos}{_DECIMAL_SUFFIX[exponent]}"
    return f"{nanos}e{exponent}" if exponent else str(nanos)
