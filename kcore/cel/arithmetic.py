"""Numbers, durations and timestamps: 64 bits and no more, and truncation towards zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kcore.cel.errors import EvaluationError
from kcore.cel.values import INT_MAX, INT_MIN, UINT_MAX, Duration, Timestamp, UInt

__all__ = ["DURATION_MAX", "OPERATIONS", "TIMESTAMP_MAX", "TIMESTAMP_MIN", "checked_duration", "checked_timestamp"]

# 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z
TIMESTAMP_MIN = -62135596800 * 10**9
TIMESTAMP_MAX = 253402300800 * 10**9 - 1
DURATION_MAX = INT_MAX


def _int(number: int) -> int:
    if INT_MIN <= number <= INT_MAX:
        return number
    raise EvaluationError("integer overflow")


def _uint(number: int) -> UInt:
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise EvaluationError("unsigned integer overflow")


def checked_duration(nanos: int) -> Duration:
    if INT_MIN <= nanos <= INT_MAX:
        return Duration(nanos)
    raise EvaluationError("duration overflow")


def checked_timestamp(nanos: int) -> Timestamp:
    if TIMESTAMP_MIN <= nanos <= TIMESTAMP_MAX:
        return Timestamp(nanos)
    raise EvaluationError("timestamp overflow")


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("division by zero")
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("modulus by zero")
    return a - b * _quotient(a, b)


def _divide_doubles(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _multiply_doubles(a: float, b: float) -> float:
    return float(a) * float(b)


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add_int64": lambda a, b: _int(a + b),
    "add_uint64": lambda a, b: _uint(a + b),
    "add_double": lambda a, b: float(a) + float(b),
    "add_duration_duration": lambda a, b: checked_duration(a.nanos + b.nanos),
    "add_timestamp_duration": lambda a, b: checked_timestamp(a.nanos + b.nanos),
    "add_duration_timestamp": lambda a, b: checked_timestamp(a.nanos + b.nanos),
    "subtract_int64": lambda a, b: _int(a - b),
    "subtract_uint64": lambda a, b: _uint(a - b),
    "subtract_double": lambda a, b: float(a) - float(b),
    "subtract_duration_duration": lambda a, b: checked_duration(a.nanos - b.nanos),
    "subtract_timestamp_duration": lambda a, b: checked_timestamp(a.nanos - b.nanos),
    "subtract_timestamp_timestamp": lambda a, b: checked_duration(a.nanos - b.nanos),
    "multiply_int64": lambda a, b: _int(a * b),
    "multiply_uint64": lambda a, b: _uint(a * b),
    "multiply_double": _multiply_doubles,
    "divide_int64": lambda a, b: _int(_quotient(a, b)),
    "divide_uint64": lambda a, b: UInt(_quotient(a, b)),
    "divide_double": _divide_doubles,
    "modulo_int64": lambda a, b: _remainder(a, b) if b != -1 else _int(-a) * 0,
    "modulo_uint64": lambda a, b: UInt(_remainder(a, b)),
}
