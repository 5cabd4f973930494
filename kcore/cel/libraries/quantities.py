"""Quantities, compared and reckoned with exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kcore.api.quantity import QuantityError, add, parse, subtract
from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import BOOL, DOUBLE, INT, STRING, Type, opaque
from kcore.cel.values import INT_MAX, INT_MIN

__all__ = ["QUANTITIES", "QUANTITY"]

QUANTITY = opaque("kubernetes.Quantity")
_NANO = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class _Quantity:
    cel_type: ClassVar[Type] = QUANTITY
    text: str
    nanos: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Quantity) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)


def _parse(text: str) -> _Quantity:
    try:
        parsed = parse(text)
    except QuantityError as e:
        raise EvaluationError(str(e)) from None
    return _Quantity(parsed.text, parsed.nanos)


def _is_quantity(text: str) -> bool:
    try:
        parse(text)
    except QuantityError:
        return False
    return True


def _is_integer(value: _Quantity) -> bool:
    return value.nanos % _NANO == 0 and INT_MIN <= value.nanos // _NANO <= INT_MAX


def _as_integer(value: _Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.nanos // _NANO


def _compare(a: _Quantity, b: _Quantity) -> int:
    return (a.nanos > b.nanos) - (a.nanos < b.nanos)


def _text(value: _Quantity | int) -> str:
    return str(value) if isinstance(value, int) else value.text


def _add(a: _Quantity, b: _Quantity | int) -> _Quantity:
    return _parse(add(a.text, _text(b)))


def _subtract(a: _Quantity, b: _Quantity | int) -> _Quantity:
    return _parse(subtract(a.text, _text(b)))


_TWO = (QUANTITY, QUANTITY)

QUANTITIES: tuple[Overload, ...] = (
    function("quantity", "string_to_quantity", (STRING,), QUANTITY, _parse),
    function("isQuantity", "is_quantity_string", (STRING,), BOOL, _is_quantity),
    method("sign", "quantity_sign", (QUANTITY,), INT, lambda value: (value.nanos > 0) - (value.nanos < 0)),
    method("isInteger", "quantity_is_integer", (QUANTITY,), BOOL, _is_integer),
    method("asInteger", "quantity_as_integer", (QUANTITY,), INT, _as_integer),
    method("asApproximateFloat", "quantity_as_float", (QUANTITY,), DOUBLE, lambda value: value.nanos / _NANO),
    method("isGreaterThan", "quantity_is_greater_than", _TWO, BOOL, lambda a, b: a.nanos > b.nanos),
    method("isLessThan", "quantity_is_less_than", _TWO, BOOL, lambda a, b: a.nanos < b.nanos),
    method("compareTo", "quantity_compare_to", _TWO, INT, _compare),
    method("add", "quantity_add", _TWO, QUANTITY, _add),
    method("add", "quantity_add_int", (QUANTITY, INT), QUANTITY, _add),
    method("sub", "quantity_sub", _TWO, QUANTITY, _subtract),
    method("sub", "quantity_sub_int", (QUANTITY, INT), QUANTITY, _subtract),
)
