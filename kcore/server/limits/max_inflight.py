"""`--enable-priority-and-fairness=false`: so many readers and so many writers at once, and nobody waits."""

from __future__ import annotations

from kcore.registry.access import Attributes
from kcore.server.limits.seat import UNLIMITED, Seat, TooBusy

__all__ = ["MaxInflight"]

_READING = frozenset(("get", "list", "watch"))


class _Kind:
    """Readers, or writers. One seat serves them all."""

    headers = b""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0

    def leave(self) -> None:
        self.count -= 1


class MaxInflight:
    """0 is no limit. Masters are always let in."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = _Kind(reading)
        self._writing = _Kind(writing)
        self._free = _Kind(0)

    def try_sit(self, asked: Attributes) -> Seat | None:
        kind = self._reading if asked.verb in _READING else self._writing
        if asked.subresource in UNLIMITED:
            kind = self._free
        if kind.most and kind.count >= kind.most and "system:masters" not in asked.user.groups:
            return None
        kind.count += 1
        return kind

    async def wait(self, asked: Attributes) -> Seat:
        raise TooBusy
