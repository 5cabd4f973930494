"""Reads that have to wait: objects which only a webhook can show in the version that was asked for.

A read does not wait by itself. Where a conversion is missing it raises NotConverted, which knows how to get it; who may
wait asks again afterwards (`converted`). So the recipes are written once, and pay nothing where nothing is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["NotConverted", "converted"]

T = TypeVar("T")


class NotConverted(Exception):
    """What was read has to be converted first."""

    async def convert(self) -> None:
        """Get what is missing. Raises ApiError."""
        raise NotImplementedError

    def offer(self) -> None:
        """Have the read, done again at once, find what it found before: else it might never catch up with writers."""

    def withdraw(self) -> None:
        """The read was done again."""


async def converted(ask: Callable[[], T], missing: NotConverted | None = None) -> T:
    """Read, as often as it takes. `missing`: what the first try was told. Raises ApiError."""
    while True:
        if missing is None:
            try:
                return ask()
            except NotConverted as e:
                missing = e
        await missing.convert()
        found = missing
        found.offer()
        try:
            return ask()
        except NotConverted as e:
            missing = e
        finally:
            found.withdraw()
