"""Equal parts of objects kept once.

Most objects are made from templates: of ten thousand pods most strings, containers, tolerations and conditions are
equal, and decoded each on its own they take three quarters of the memory. So the parts of an object that stands for
a while are replaced by equal ones of others. That may be done to objects in use, since nobody can see it: parts of
stored objects are never changed.

Parts are looked up by their encoding, the largest first: what is known whole needs no look inside. What was met is
forgotten now and then, all at once: the few parts that are then kept once more weigh less than keeping books.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

__all__ = ["Sharing"]

_encode = msgspec.json.Encoder().encode
_set = msgspec.structs.force_setattr

PARTS = 4096
STRINGS = 16384

_NOTHING: dict[str, Any] = {}


class Sharing:
    """The parts that were met lately."""

    def __init__(self) -> None:
        self._parts: dict[tuple[type, bytes], Any] = {}
        self._strings: dict[str, str] = {}

    def share(self, obj: Struct) -> None:
        """Let an object of an API type have its parts in common with others. The object itself stays what it is."""
        if len(self._parts) > PARTS:
            self._parts.clear()
        if len(self._strings) > STRINGS:
            self._strings.clear()
        for part in astuple(obj):
            if isinstance(part, Struct):
                self._look_inside(part)  # metadata, spec and status are never the same

    def _look_inside(self, struct: Struct) -> None:
        known = self._strings.setdefault
        for name, value in zip(struct.__struct_fields__, astuple(struct), strict=True):
            if type(value) is str:
                found: Any = known(value, value)
            elif value:
                found = self._part(value)
            elif type(value) is dict:
                found = _NOTHING
            else:
                continue
            if found is not value:
                _set(struct, name, found)

    def _part(self, value: Any) -> Any:
        """What is kept for a value that is no string."""
        kind = type(value)
        if kind is tuple:
            key = (type(value[0]), b"[" + _encode(value))
        elif kind is dict or isinstance(value, Struct):
            key = (kind, _encode(value))
        else:
            return value
        found = self._parts.get(key)
        if found is None:
            found = self._parts[key] = self._whole(kind, value)
        return found

    def _whole(self, kind: type, value: Any) -> Any:
        """A value that is met for the first time, made of parts that are kept."""
        if kind is tuple:
            return tuple([self._one(item) for item in value])
        if kind is dict:
            return {self._one(name): self._one(held) for name, held in value.items()}
        self._look_inside(value)
        return value

    def _one(self, value: Any) -> Any:
        return self._strings.setdefault(value, value) if type(value) is str else self._part(value)
