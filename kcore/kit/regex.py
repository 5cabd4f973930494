"""Regular expressions, as RE2 has them: matched in time linear in the text, whatever the pattern.

Python's `re` backtracks: `(a+)+$` on thirty letters would hold the loop for minutes, and patterns come from whoever
may write a definition or a policy. RE2 itself (google-re2) is the engine: it is what Go's `regexp` was modelled on,
so the syntax is right too, and its memory is bounded. The product of pattern and text is bounded here. What it says of
a bad pattern is put in Go's words.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

__all__ = ["Pattern", "PatternError", "compile_pattern"]

# Programs beyond this are refused ("pattern too large"), as Go refuses them ("expression too large").
_MEMORY_MAX = 8 << 20
_LENGTH_MAX = 100_000
# States times letters that one search may visit: linear is not yet quick where megabytes meet a thousand states.
_WORK_MAX = 1 << 26

_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "pattern too large - compile failed": "expression too large",
}


class PatternError(ValueError):
    """No regular expression; the message is that of Go's regexp."""


class Pattern:
    """A compiled pattern. Groups are not captured: nobody asks for them, and it is faster so."""

    __slots__ = ("_compiled", "_longest", "text")

    def __init__(self, text: str) -> None:
        import re2  # takes a while, and most clusters never see a pattern

        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _MEMORY_MAX
        try:
            self._compiled = re2.compile(text, options=options)
        except re2.error as e:
            raise PatternError(_in_go(e.args[0], text)) from None
        self.text = text
        self._longest = _WORK_MAX // max(self._compiled.programsize, 1)

    def search(self, text: str) -> bool:
        """Whether the pattern matches somewhere. Raises PatternError where that is too much to find out."""
        return self._compiled.search(self._encoded(text)) is not None

    def find_all(self, text: str, limit: int = -1) -> list[str]:
        """What it matches, from left to right, at most `limit` pieces unless that is negative."""
        found = self._compiled.finditer(self._encoded(text))
        return [match.group().decode() for match in islice(found, limit if limit >= 0 else None)]

    def _encoded(self, text: str) -> bytes:
        if len(text) > self._longest:
            raise PatternError("error matching regexp: text too long for a pattern of this size")
        return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> Pattern:
    """Raises PatternError."""
    if len(pattern) > _LENGTH_MAX:
        raise PatternError("error parsing regexp: expression too large")
    return Pattern(pattern)


def _in_go(said: object, pattern: str) -> str:
    text = said.decode() if isinstance(said, bytes) else str(said)
    words, colon, what = text.partition(": ")
    return f"error parsing regexp: {_WORDS.get(words, words)}: `{what if colon else pattern}`"
