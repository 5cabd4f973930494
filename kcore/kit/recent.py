"""What was found out lately: dictionaries that keep so much and no more."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

__all__ = ["keep"]

K = TypeVar("K")
V = TypeVar("V")


def keep(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Remember one thing more, and forget the oldest where there are `most`. Threads may do so at once."""
    while len(known) >= most:
        with suppress(KeyError, RuntimeError):  # another thread was faster
            del known[next(iter(known))]
    known[key] = value
