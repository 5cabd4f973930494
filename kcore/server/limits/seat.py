"""A seat at the server, and the refusal of one."""

from __future__ import annotations

from typing import Protocol

from kcore.registry.access import Attributes

__all__ = ["UNLIMITED", "Limits", "Seat", "TooBusy"]

UNLIMITED = frozenset(("attach", "exec", "log", "portforward", "proxy"))
"""These hold a connection open for long, and are not counted. A watch gives its seat back once it has begun."""


class TooBusy(Exception):
    """429, in the plain words of upstream's filters. `headers` tell which level refused it."""

    def __init__(self, headers: bytes = b"") -> None:
        super().__init__("Too many requests, please try again later.")
        self.headers = headers


class Seat(Protocol):
    """`headers` go into the answer."""

    headers: bytes

    def leave(self) -> None: ...


class Limits(Protocol):
    def try_sit(self, asked: Attributes) -> Seat | None:
        """A seat that is free at once."""

    async def wait(self, asked: Attributes) -> Seat:
        """A seat when it is one's turn. Raises TooBusy."""
