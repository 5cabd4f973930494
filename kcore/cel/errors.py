"""What can be wrong with an expression, before and while it runs, in the words of cel-go.

CelError
|- CompileError         it cannot be parsed or its types do not fit; each `Issue` knows where
|- PlanError            it fits, but has a conversion of a literal that fails whatever the inputs are
`- EvaluationError      it has no value for these inputs; `&&` and `||` may absorb it
   `- CostExceeded      it has done more work than it may; nothing absorbs this one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CelError",
    "CompileError",
    "CostExceeded",
    "EvaluationError",
    "Issue",
    "PlanError",
    "no_such_key",
    "no_such_overload",
    "not_convertible",
]

_ISSUES_MAX = 100


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding at a place of the text, counted in code points from its start."""

    offset: int
    message: str

    def show(self, text: str) -> str:
        start = text.rfind("\n", 0, self.offset) + 1
        line, column = text.count("\n", 0, start) + 1, self.offset - start
        source = text[start:].partition("\n")[0].replace("\t", " ")
        dots = "".join("." if char.isascii() else "．" for char in source[:column])
        mark = "^" if source[column : column + 1].isascii() else "＾"
        return f"ERROR: <input>:{line}:{column + 1}: {self.message}\n | {source}\n | {dots}{mark}"


class CelError(ValueError):
    """Anything that is wrong with an expression."""


class CompileError(CelError):
    def __init__(self, text: str, issues: Sequence[Issue]) -> None:
        self.issues = sorted(issues, key=lambda issue: issue.offset)
        shown = [issue.show(text) for issue in self.issues[:_ISSUES_MAX]]
        if len(self.issues) > _ISSUES_MAX:
            shown.append(f"{len(self.issues) - _ISSUES_MAX} more errors were truncated")
        super().__init__("\n".join(shown))


class PlanError(CelError):
    """The message tells why the literal cannot be converted."""


class EvaluationError(CelError):
    """The message is cel-go's, without a place."""


class CostExceeded(EvaluationError):
    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def no_such_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def not_convertible(wanted: str) -> EvaluationError:
    """A text that is nothing of the kind wanted."""
    return EvaluationError(f"type conversion error from 'string' to '{wanted}'")


def no_such_key(key: object) -> EvaluationError:
    return EvaluationError(f"no such key: {key}")
