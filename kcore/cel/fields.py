"""Selecting fields: `a.b`, `has(a.b)`, `a.?b`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.cel.errors import no_such_key, no_such_overload
from kcore.cel.frames import Frame, Run
from kcore.cel.values import NONE, Optional

__all__ = ["field_of_object", "optional_selection", "presence", "selection"]


def selection(operand: Run, key: str) -> Run:
    def run(f: Frame) -> Any:
        holder = operand(f)
        try:
            return holder[key]
        except (KeyError, TypeError):
            return _selected(holder, key)

    return run


def _selected(holder: Any, key: str) -> Any:
    """What has no such key, or is no plain map: an optional, or nothing that has fields."""
    if isinstance(holder, Optional):
        return _select_optional(holder, key, False)
    raise no_such_key(key)


def field_of_object(operand: Run, key: str) -> Run:
    """In objects, null counts as absent."""

    def run(f: Frame) -> Any:
        try:
            value = operand(f)[key]
        except (KeyError, TypeError):
            raise no_such_key(key) from None
        if value is None:
            raise no_such_key(key)
        return value

    return run


def presence(operand: Run, key: str, known: bool) -> Run:
    def run(f: Frame) -> bool:
        holder = operand(f)
        if type(holder) is dict:
            return key in holder and not (known and holder[key] is None)
        if isinstance(holder, Optional):
            return _select_optional(holder, key, known).present
        if not isinstance(holder, Mapping):
            if isinstance(holder, list | str | int | float) or holder is None:
                return False
            raise no_such_overload()
        return key in holder and not (known and holder[key] is None)

    return run


def optional_selection(operand: Run, key: str, known: bool) -> Run:
    return lambda f: _select_optional(operand(f), key, known)


def _select_optional(holder: Any, key: str, known: bool) -> Optional:
    if isinstance(holder, Optional):
        if not holder.present:
            return NONE
        holder = holder.value
    if not isinstance(holder, Mapping):
        raise no_such_key(key)
    if key not in holder or (known and holder[key] is None):
        return NONE
    return Optional(True, holder[key])
