"""Rules that pods and workloads share, beside the smallest ones in `values`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcore.api import names
from kcore.api.field import FieldError, Path, invalid, too_long
from kcore.registry.validation.values import non_negative

__all__ = ["MAX_INT32", "in_range", "not_negative", "refuse", "validate_annotations"]

MAX_INT32 = 2**31 - 1


def refuse(path: Path, value: Any, messages: Iterable[str]) -> Iterator[FieldError]:
    """Each message of a name check that was already made."""
    for message in messages:
        yield invalid(path, value, message)


def not_negative(path: Path, value: int | None) -> Iterator[FieldError]:
    """A number that may be absent."""
    if value is not None:
        yield from non_negative(path, value)


def in_range(path: Path, value: int, low: int, high: int) -> Iterator[FieldError]:
    if not low <= value <= high:
        yield invalid(path, value, f"must be between {low} and {high}, inclusive")


def validate_annotations(values: Mapping[str, str], path: Path) -> Iterator[FieldError]:
    """Annotations of an object inside another one (those of the object itself are checked for all kinds alike)."""
    for key in sorted(values):
        yield from refuse(path, key, names.label_key(key.lower()))
    if names.annotations_size(values) > names.ANNOTATIONS_SIZE_MAX:
        yield too_long(path, names.ANNOTATIONS_SIZE_MAX)
