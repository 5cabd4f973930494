"""How soon a pod that failed on a node is replaced: at once, then after 1 s, 2 s, 4 s, ... up to 15 minutes.

Otherwise a pod that its kubelet refuses would be made and refused in a tight circle.
"""

from __future__ import annotations

from typing import NamedTuple

from kcore.kit.clock import Clock

__all__ = ["Recreation"]

FIRST_DELAY = 1.0
LONGEST_DELAY = 900.0
FORGOTTEN_AFTER = 2 * LONGEST_DELAY


class _Last(NamedTuple):
    generation: int
    at: float
    delay: float


class Recreation:
    """Remembers, by the uid of an owner and by node, when a failed pod was last replaced."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, dict[str, _Last]] = {}

    def wait(self, owner: str, node: str, generation: int) -> float:
        """Seconds until a failed pod may be replaced. 0: now, and it is noted that it was.

        A new generation of the owner is a new attempt."""
        now = self._clock.now()
        nodes = self._last.setdefault(owner, {})
        last = nodes.get(node)
        if last is None or last.generation != generation or now - last.at > FORGOTTEN_AFTER:
            nodes[node] = _Last(generation, now, FIRST_DELAY)
            return 0.0
        if now < last.at + last.delay:
            return last.at + last.delay - now
        nodes[node] = _Last(generation, now, min(2 * last.delay, LONGEST_DELAY))
        return 0.0

    def forget(self, owner: str) -> None:
        self._last.pop(owner, None)
