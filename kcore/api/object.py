"""What every stored object has: a kind and metadata."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import field

from kcore.api.meta_v1 import ObjectMeta
from kcore.api.schema import JSON, TypeMeta

__all__ = ["CustomResource", "Object", "encode_object"]

_encode = msgspec.json.Encoder().encode


class Object(TypeMeta):
    """An object with identity: the base of every kind that can be stored."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class CustomResource(Object):
    """An object of a kind that a CustomResourceDefinition brought: typed metadata, the rest as a plain JSON tree.

    All custom kinds share this type; which kind an object is, its `Kind` says. `content` has everything of the document
    but `kind`, `apiVersion` and `metadata`. It is shared like any other part of an object: change it by replacing it.
    `api_version` is always set on what is stored, and is stored: the versions of a definition share one place.
    """

    content: Mapping[str, JSON] = {}


def encode_object(obj: TypeMeta) -> bytes:
    """The stored form of an object. Custom resources have no struct of their own, so msgspec alone would not do."""
    if type(obj) is CustomResource:
        version = {"apiVersion": obj.api_version} if obj.api_version else {}
        return _encode({**version, "metadata": obj.metadata, **obj.content})
    return _encode(obj)
