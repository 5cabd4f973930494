"""How objects become stored bytes and back: all that the store knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from kcore.api.decoding import decoder
from kcore.api.object import CustomResource, encode_object
from kcore.api.scheme import Scheme
from kcore.registry.managed_fields.entries import share_entries
from kcore.registry.sharing import Sharing
from kcore.registry.strategy import Strategy
from kcore.store.store import Forms

__all__ = ["StoreCodec"]

_set = msgspec.structs.force_setattr


class StoreCodec:
    """The store's Codec over a scheme: the bucket, the first segment of a key, names the kind."""

    def __init__(self, scheme: Scheme, strategies: Iterable[type[Strategy]]) -> None:
        self._scheme = scheme
        strategies = tuple(strategies)
        self._views = {s.type for s in strategies if s.stored_as is not None}
        self._unfollowed = {scheme.of(s.type).group_resource for s in strategies if s.type and not s.followed}
        self._alike = {scheme.of(s.type).group_resource for s in strategies if s.type and s.alike}
        self._sharing = Sharing()
        self._decoders: dict[str, Callable[[bytes], Any]] = {}
        self._fields: dict[str, tuple[tuple[str, Callable[[Any], str]], ...]] = {
            scheme.of(s.type).group_resource: tuple((name, s.selectable[name]) for name in s.indexed)
            for s in strategies
            if s.type and s.indexed and s.stored_as is None
        }

    def stamp(self, key: str, obj: Any, revision: int) -> tuple[Any, bytes]:
        """Write the revision into `obj`, which nobody else has seen, and encode it."""
        metadata = obj.metadata
        _set(metadata, "resource_version", str(revision))
        share_entries(metadata)
        return obj, encode_object(obj)

    def encode(self, obj: Any) -> bytes:
        return encode_object(obj)

    def decode(self, key: str, data: bytes) -> Any:
        bucket = key.partition("/")[0]
        decode = self._decoders.get(bucket)
        if decode is None:
            found = (k.type for k in self._scheme if k.group_resource == bucket and k.type not in self._views)
            # Kinds that definitions bring are not known yet when a log is read again, nor any more when they are gone.
            decode = self._decoders[bucket] = decoder(next(found, CustomResource))
        obj = decode(data)
        share_entries(obj.metadata)
        return obj

    def rest(self, key: str, obj: Any) -> Forms:
        bucket = key.partition("/")[0]
        if bucket in self._alike:
            if obj.metadata.deletion_timestamp is not None:
                return Forms.BOTH  # it goes sooner than it would pay
            self._sharing.share(obj)
            return Forms.OBJECT
        return Forms.BYTES if bucket in self._unfollowed else Forms.BOTH

    def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
        name = ("metadata.name", obj.metadata.name)
        fields = self._fields.get(key.partition("/")[0])
        return (name, *((field, read(obj)) for field, read in fields)) if fields else (name,)
