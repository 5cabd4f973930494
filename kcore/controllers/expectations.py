"""What a controller has done and not yet seen: caches lag behind, and it must not do it twice.

After it created three pods, a controller expects to see three new pods; until it has, what its cache shows says
nothing about how many are missing. A creation is expected as a number (names are made by the server), a deletion by
the pod's uid. What has not been seen after five minutes is given up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kcore.kit.clock import Clock

__all__ = ["Expectations"]

GIVEN_UP_AFTER = 300.0


@dataclass(slots=True)
class _Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """By the uid of the object whose controller expects something."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, owner: str) -> bool:
        """Whether everything was seen (or given up), so that the cache can be believed."""
        expected = self._expected.get(owner)
        if expected is None:
            return True
        if expected.creations > 0 or expected.deletions:
            return self._clock.now() - expected.since > GIVEN_UP_AFTER
        return True

    def expect_creations(self, owner: str, count: int) -> None:
        self.expect(owner, count, ())

    def expect_deletions(self, owner: str, uids: Iterable[str]) -> None:
        self.expect(owner, 0, uids)

    def expect(self, owner: str, creations: int, deletions: Iterable[str]) -> None:
        self._expected[owner] = _Expected(self._clock.now(), creations, set(deletions))

    def creation_observed(self, owner: str, count: int = 1) -> None:
        """A new object was seen; or it will never be, because creating it failed."""
        expected = self._expected.get(owner)
        if expected is not None:
            expected.creations -= count

    def deletion_observed(self, owner: str, uid: str) -> None:
        """An object was seen to go; or it will not, because deleting it failed."""
        expected = self._expected.get(owner)
        if expected is not None:
            expected.deletions.discard(uid)

    def forget(self, owner: str) -> None:
        self._expected.pop(owner, None)
