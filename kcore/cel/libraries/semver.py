"""Semantic versions and their order (semver.org 2.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import BOOL, INT, STRING, Type, opaque
from kcore.cel.values import INT_MAX

__all__ = ["SEMVER", "SEMVER_TYPE"]

SEMVER_TYPE = opaque("kubernetes.Semver")

_NUMBER = r"(0|[1-9]\d{0,18})"
_IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_LENGTH_MAX = 1000


@dataclass(frozen=True, eq=False)
class _Version:
    cel_type: ClassVar[Type] = SEMVER_TYPE
    numbers: tuple[int, int, int]
    pre: str

    @cached_property
    def order(self) -> tuple[object, ...]:
        """A key: a release is after all of its pre-releases, numbers are before words."""
        if not self.pre:
            return self.numbers, 1, ()
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre.split("."))
        return self.numbers, 0, parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Version) and self.order == other.order

    def __hash__(self) -> int:
        return hash(self.order)


def _parse(text: str, normalize: bool = False) -> _Version:
    match = _VERSION.fullmatch(_normalized(text) if normalize else text) if len(text) <= _LENGTH_MAX else None
    if match is None or any(int(match[i]) > INT_MAX for i in (1, 2, 3)):
        raise EvaluationError(_complaint(text))
    return _Version((int(match[1]), int(match[2]), int(match[3])), match[4] or "")


def _complaint(text: str) -> str:
    if not text:
        return "Version string empty"
    if text.partition("-")[0].partition("+")[0].count(".") != 2:
        return "No Major.Minor.Patch elements found"
    return f'Invalid character(s) found in version "{text}"'


def _normalized(text: str) -> str:
    """Without a leading `v`, with all three numbers, none of them with leading zeros."""
    text = text.removeprefix("v")
    end = next((i for i, char in enumerate(text) if char in "+-"), len(text))
    numbers = [part.lstrip("0") or "0" if part.isdigit() else part for part in text[:end].split(".")]
    return ".".join([*numbers, *["0"] * (3 - len(numbers))]) + text[end:]


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _parse(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(a: _Version, b: _Version) -> int:
    return (a.order > b.order) - (a.order < b.order)


_TWO = (SEMVER_TYPE, SEMVER_TYPE)

SEMVER: tuple[Overload, ...] = (
    function("semver", "string_to_semver", (STRING,), SEMVER_TYPE, _parse),
    function("semver", "string_bool_to_semver", (STRING, BOOL), SEMVER_TYPE, _parse),
    function("isSemver", "is_semver_string", (STRING,), BOOL, _is_semver),
    function("isSemver", "is_semver_string_bool", (STRING, BOOL), BOOL, _is_semver),
    method("major", "semver_major", (SEMVER_TYPE,), INT, lambda version: version.numbers[0]),
    method("minor", "semver_minor", (SEMVER_TYPE,), INT, lambda version: version.numbers[1]),
    method("patch", "semver_patch", (SEMVER_TYPE,), INT, lambda version: version.numbers[2]),
    method("isGreaterThan", "semver_is_greater_than", _TWO, BOOL, lambda a, b: a.order > b.order),
    method("isLessThan", "semver_is_less_than", _TWO, BOOL, lambda a, b: a.order < b.order),
    method("compareTo", "semver_compare_to", _TWO, INT, _compare),
)
