"""Whether a cache shows what its reader wrote last.

Who decides by a cache that lags behind its own writes does things twice: makes objects anew whose names the server
makes up, or writes a status that is refused as a conflict. It may as well wait: what was written is about to show up
in the cache, and that is a change like any other.
"""

from __future__ import annotations

from typing import Any

from kcore.api.object import Object
from kcore.client.informer import Informer, key_of

__all__ = ["Freshness"]


class Freshness:
    """Remembers, for each key of a controller, the versions of what it wrote that its cache has not shown yet."""

    def __init__(self, informer: Informer[Any]) -> None:
        self._informer = informer
        self._pending: dict[str, dict[str, int]] = {}
        self._gone: dict[str, set[str]] = {}
        self._owners: dict[str, str] = {}
        informer.add_handler(self._seen)

    def is_fresh(self, key: str) -> bool:
        return not self._pending.get(key) and not self._gone.get(key)

    def wrote(self, key: str, obj: Object) -> None:
        """`obj` is what the server answered; it may have been seen already."""
        name, version = key_of(obj), int(obj.metadata.resource_version)
        seen = self._informer.get(name)
        if seen is None or int(seen.metadata.resource_version) < version:
            self._owners[name] = key
            self._pending.setdefault(key, {})[name] = version

    def deleted(self, key: str, obj: Object) -> None:
        name = key_of(obj)
        if self._informer.get(name) is not None:
            self._owners[name] = key
            self._gone.setdefault(key, set()).add(name)

    def forget(self, key: str) -> None:
        for name in (*self._pending.pop(key, {}), *self._gone.pop(key, ())):
            self._owners.pop(name, None)

    def _seen(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        assert obj is not None
        name = key_of(obj)
        key = self._owners.get(name)
        if key is None:
            return
        pending = self._pending.get(key, {})
        if new is None:
            pending.pop(name, None)
            self._gone.get(key, set()).discard(name)
            del self._owners[name]
        elif int(new.metadata.resource_version) >= pending.get(name, 0):
            pending.pop(name, None)
