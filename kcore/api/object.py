"""What every stored object has: a kind and metadata."""

from __future__ import annotations

from msgspec import field

from kcore.api.meta_v1 import ObjectMeta
from kcore.api.schema import TypeMeta

__all__ = ["Object"]


class Object(TypeMeta):
    """An object with identity: the base of every kind that can be stored."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
