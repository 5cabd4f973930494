"""The smallest rules: a check that answers messages, a value out of a few, a field that may not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from kcore.api.field import FieldError, Path, invalid, not_supported, required

__all__ = ["IMMUTABLE", "check", "immutable", "non_negative", "one_of"]

IMMUTABLE = "field is immutable"
_NON_NEGATIVE = "must be greater than or equal to 0"

Value = TypeVar("Value")


def check(path: Path, value: Value, rule: Callable[[Value], Iterable[str]]) -> Iterator[FieldError]:
    """Each message of a rule (`kcore.api.names`) as an error of the field."""
    for message in rule(value):
        yield invalid(path, value, message)


def one_of(path: Path, value: str, supported: Sequence[str]) -> Iterator[FieldError]:
    """A value that must be given and be one of the supported, which are listed in the order given."""
    if not value:
        yield required(path)
    elif value not in supported:
        yield not_supported(path, value, supported)


def non_negative(path: Path, value: int) -> Iterator[FieldError]:
    if value < 0:
        yield invalid(path, value, _NON_NEGATIVE)


def immutable(path: Path, new: Any, old: Any, shown: Any = ...) -> Iterator[FieldError]:
    """`shown`: the new value as upstream prints it, where that differs."""
    if new != old:
        yield invalid(path, new if shown is ... else shown, IMMUTABLE)
