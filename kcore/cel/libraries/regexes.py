"""What a pattern finds in a text."""

from __future__ import annotations

from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, method
from kcore.cel.types import INT, STRING, list_of
from kcore.kit.regex import PatternError, compile_pattern

__all__ = ["REGEXES"]


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    try:
        return compile_pattern(pattern).find_all(text, limit)
    except PatternError as e:
        raise EvaluationError(f"Illegal regex: {e}") from None


def _find(text: str, pattern: str) -> str:
    found = _find_all(text, pattern, 1)
    return found[0] if found else ""


REGEXES: tuple[Overload, ...] = (
    method("find", "string_find_string", (STRING, STRING), STRING, _find),
    method("findAll", "string_find_all_string", (STRING, STRING), list_of(STRING), _find_all),
    method("findAll", "string_find_all_string_int", (STRING, STRING, INT), list_of(STRING), _find_all),
)
