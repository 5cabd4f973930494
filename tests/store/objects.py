"""The objects of the store's tests: small JSON trees with one indexed field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kcore.store.store import Delete, Forms, Put

__all__ = ["TreeCodec", "delete", "put"]


class TreeCodec:
    """A `Codec` for dicts: the revision is `rv`, and watches may be narrowed by `node`."""

    def stamp(self, key: str, obj: Any, revision: int) -> tuple[Any, bytes]:
        stamped = {**obj, "rv": revision}
        return stamped, json.dumps(stamped).encode()

    def encode(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()

    def decode(self, key: str, data: bytes) -> Any:
        return json.loads(data)

    def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
        return (("node", obj["node"]),) if "node" in obj else ()

    def rest(self, key: str, obj: Any) -> Forms:
        """Pods are followed and alike, notes are not followed."""
        return {"pods": Forms.OBJECT, "notes": Forms.BYTES}.get(key.partition("/")[0], Forms.BOTH)


def put(key: str, *, expected: int | None = None, **fields: Any) -> Put:
    return Put(key, fields, expected)


def delete(key: str, *, expected: int | None = None, **fields: Any) -> Delete:
    return Delete(key, fields, expected)
