"""Numbers that may also be percentages: `25%`."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import names
from kcore.api.field import FieldError, Path, invalid
from kcore.registry.validation.values import check, non_negative

__all__ = ["is_zero", "validate_at_most_all", "validate_int_or_percent", "validate_share"]


def validate_int_or_percent(value: int | str, path: Path) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from check(path, value, names.percent)
    else:
        yield from non_negative(path, value)


def validate_at_most_all(value: int | str, path: Path) -> Iterator[FieldError]:
    if isinstance(value, str) and not names.percent(value) and int(value[:-1]) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def validate_share(value: int | str, path: Path) -> Iterator[FieldError]:
    """A part of a whole: a percentage of it is at most all."""
    yield from validate_int_or_percent(value, path)
    yield from validate_at_most_all(value, path)


def is_zero(value: int | str | None) -> bool:
    """Whether it is 0 or 0%, or nothing that can be read."""
    if isinstance(value, str):
        return bool(names.percent(value)) or int(value[:-1]) == 0
    return not value
