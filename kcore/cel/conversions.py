"""Conversions between types: `int(x)`, `string(x)`, ... None of them rounds silently past what 64 bits hold."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from kcore.cel.errors import EvaluationError, no_such_overload, not_convertible
from kcore.cel.times import format_duration, format_timestamp
from kcore.cel.types import Type
from kcore.cel.values import INT_MAX, INT_MIN, UINT_MAX, Duration, Timestamp, UInt

__all__ = ["double_text", "to_bool", "to_bytes", "to_double", "to_int", "to_string", "to_uint"]

_INT = re.compile(r"[+-]?(0|[1-9]\d{0,30}|0\d{1,30})", re.ASCII)
_UINT = re.compile(r"\d{1,30}", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)|nan", re.ASCII | re.IGNORECASE)
_BOOLS = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "0"), False),
}
_DIGITS_MAX = 400


def to_int(value: Any) -> int:
    if isinstance(value, str):
        if _INT.fullmatch(value) is None or not INT_MIN <= (number := int(value)) <= INT_MAX:
            raise not_convertible("int")
        return number
    if isinstance(value, Timestamp):
        return value.nanos // 10**9
    if isinstance(value, Duration):
        return value.nanos
    if isinstance(value, float) and (not math.isfinite(value) or not INT_MIN < value < INT_MAX):
        raise EvaluationError("integer overflow")
    number = int(value)
    if not INT_MIN <= number <= INT_MAX:
        raise EvaluationError("integer overflow")
    return number


def to_uint(value: Any) -> UInt:
    if isinstance(value, str):
        if _UINT.fullmatch(value) is None or int(value) > UINT_MAX:
            raise not_convertible("uint")
        return UInt(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise EvaluationError("unsigned integer overflow")
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def to_double(value: Any) -> float:
    if isinstance(value, str):
        if len(value) > _DIGITS_MAX or _DOUBLE.fullmatch(value) is None:
            raise not_convertible("double")
        number = float(value)
        if math.isinf(number) and "i" not in value.lower():
            raise not_convertible("double")
        return number
    return float(value)


def to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in _BOOLS:
        raise not_convertible("bool")
    return _BOOLS[value]


def to_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def to_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    if isinstance(value, Duration):
        return format_duration(value)
    if isinstance(value, Type):
        return value.runtime_name
    raise no_such_overload()


def double_text(value: float) -> str:
    """A number as Go's %g writes it: the shortest digits that tell it, with an exponent below 1e-4 and from 1e6 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, power = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(power, int)
    exponent = len(digits) - 1 + power
    minus = "-" if sign else ""
    shown = "".join(map(str, digits))
    if not any(digits):
        return f"{minus}0"
    if not -4 <= exponent < 6:
        rest = f".{shown[1:]}" if len(shown) > 1 else ""
        return f"{minus}{shown[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{shown}"
    whole, rest = shown[: exponent + 1].ljust(exponent + 1, "0"), shown[exponent + 1 :]
    return f"{minus}{whole}.{rest}" if rest else f"{minus}{whole}"
