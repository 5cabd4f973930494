"""The strategy of most kinds: functions that fill, check and advise, and nothing that needs the request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from kcore.api.field import FieldError
from kcore.registry.request import Request
from kcore.registry.strategy import Strategy

__all__ = ["Ruled", "Rules"]


def _no_defaults(obj: Any) -> None:
    pass


def _no_rules(obj: Any) -> Iterable[FieldError]:
    return ()


def _no_update_rules(new: Any, old: Any) -> Iterable[FieldError]:
    return ()


def _no_advice(obj: Any, old: Any) -> Iterable[str]:
    return ()


class Rules(NamedTuple):
    """What is said of a kind by plain functions."""

    defaults: Callable[[Any], None] = _no_defaults
    create: Callable[[Any], Iterable[FieldError]] = _no_rules
    """What holds for a new object."""

    update: Callable[[Any, Any], Iterable[FieldError]] | None = None
    """What holds for (new, old); None: the rules of a new object."""

    status: Callable[[Any, Any], Iterable[FieldError]] = _no_update_rules
    advice: Callable[[Any, Any], Iterable[str]] = _no_advice
    """Warnings for (new, old or None)."""


class Ruled(Strategy):
    rules: ClassVar[Rules]

    def default(self, obj: Any) -> None:
        self.rules.defaults(obj)

    def validate(self, req: Request, obj: Any) -> Sequence[FieldError]:
        return list(self.rules.create(obj))

    def validate_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        rules = self.rules
        return list(rules.create(new) if rules.update is None else rules.update(new, old))

    def validate_status_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        return list(self.rules.status(new, old))

    def warnings(self, req: Request, obj: Any, old: Any = None) -> Sequence[str]:
        return list(self.rules.advice(obj, old))
