"""Second chances: once somebody late in the chain has changed the object, the chain runs again (KEP-492).

The built-in plugins all run again; of the webhooks and policies those that asked for it (`IfNeeded`) and ran before
the change.
"""

from __future__ import annotations

from kcore.api.object import encode_object
from kcore.api.schema import TypeMeta

__all__ = ["Reinvocation", "Replay"]


class Reinvocation:
    """What is known of one request's way through the chain."""

    def __init__(self) -> None:
        self.again = False
        """Whether this is the second round."""

        self.wanted = False
        """Whether there must be one."""

        self._replays: dict[str, Replay] = {}

    def replay(self, plugin: str) -> Replay:
        """What one plugin remembers of the first round."""
        return self._replays.setdefault(plugin, Replay())


class Replay:
    """Which of a plugin's parties have a second turn."""

    def __init__(self) -> None:
        self._ran: set[str] = set()
        self._due: set[str] = set()
        self._left: bytes = b""

    def is_due(self, party: str) -> bool:
        return party in self._due

    def ran(self, party: str) -> None:
        """A party that wants a second turn had its first."""
        self._ran.add(party)

    def recall(self) -> None:
        """The object has changed: all who ran before are due."""
        self._due |= self._ran
        self._ran = set()

    def leave(self, obj: TypeMeta | None) -> None:
        """The plugin is done, with this outcome."""
        self._left = _seen(obj)

    def changed_since(self, obj: TypeMeta | None) -> bool:
        return self._left != _seen(obj)


def _seen(obj: TypeMeta | None) -> bytes:
    return encode_object(obj) if obj is not None else b""
