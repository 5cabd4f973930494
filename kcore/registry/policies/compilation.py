"""What is wrong with the expressions of a policy or webhook, told by the field that holds them."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.field import FieldError, Path, internal, invalid
from kcore.cel.types import DYN, Type
from kcore.registry.policies.expressions import (
    ANYTHING,
    CONDITION,
    JSON_PATCH,
    MESSAGE,
    PATCHED,
    VALUE,
    BadExpression,
    Names,
    UnusableExpression,
    compile_one,
)

__all__ = ["Expressions"]


class Expressions:
    """Checks the expressions of one object in their order: each variable may be named by those that come later."""

    def __init__(self, *, params: bool = False, patches: bool = False, variables: bool = False) -> None:
        self._names = Names.of(params=params, patches=patches, variables=variables)
        self._plain = Names.of(params=params)

    def condition(self, path: Path, text: str) -> Iterator[FieldError]:
        """Match conditions are evaluated before the variables. Space around them does not count."""
        return _check(path, text.strip(), self._plain, CONDITION)

    def variable(self, path: Path, name: str, text: str) -> Iterator[FieldError]:
        type_ = DYN
        try:
            type_ = compile_one(text, self._names, ANYTHING).result
        except BadExpression as e:
            yield _error(path, text, e)
        self._names = self._names.with_variable(name, type_)

    def validation(self, path: Path, text: str) -> Iterator[FieldError]:
        return _check(path, text, self._names, CONDITION)

    def message(self, path: Path, text: str) -> Iterator[FieldError]:
        return _check(path, text, self._names._replace(authorizer=False), MESSAGE)

    def value(self, path: Path, text: str) -> Iterator[FieldError]:
        """Space around it does not count, but is shown."""
        return _check(path, text.strip(), self._names, VALUE, shown=text)

    def configuration(self, path: Path, text: str) -> Iterator[FieldError]:
        return _check(path, text.strip(), self._names, PATCHED)

    def json_patch(self, path: Path, text: str) -> Iterator[FieldError]:
        return _check(path, text.strip(), self._names, JSON_PATCH)


def _check(
    path: Path, text: str, names: Names, results: tuple[Type, ...], *, shown: str | None = None
) -> Iterator[FieldError]:
    try:
        compile_one(text, names, results)
    except BadExpression as e:
        yield _error(path, text if shown is None else shown, e)


def _error(path: Path, text: str, why: BadExpression) -> FieldError:
    if isinstance(why, UnusableExpression):
        return internal(path, str(why))
    return invalid(path, text, str(why))
