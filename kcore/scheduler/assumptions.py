"""A cache, and over it what the scheduler has decided itself and not seen there yet.

What is *assumed* of an object stands until the cache shows another version of it, or until it is taken back.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from kcore.api.object import Object
from kcore.client.informer import Informer, key_of

__all__ = ["Assumptions"]

T = TypeVar("T", bound=Object)


class Assumptions(Generic[T]):
    """A cache with what is assumed of some of its objects."""

    def __init__(self, informer: Informer[T]) -> None:
        self._informer = informer
        self._assumed: dict[str, tuple[str, T]] = {}

    def get(self, key: str) -> T | None:
        known = self._informer.get(key)
        if key not in self._assumed:
            return known
        version, assumed = self._assumed[key]
        if known is not None and known.metadata.resource_version == version:
            return assumed
        del self._assumed[key]
        return known

    def assume(self, obj: T) -> None:
        self._assumed[key_of(obj)] = (obj.metadata.resource_version, obj)

    def restore(self, key: str) -> None:
        self._assumed.pop(key, None)
