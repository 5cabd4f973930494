"""The way from client-side to server-side apply: kubectl's last-applied annotation.

What an object still holds as kubectl last applied it, kubectl may take over from whoever is said to own it; and as
long as the annotation is there, server-side applies by kubectl keep it up to date, so that the way back stays open.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kcore.api.json_syntax import too_deep
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.names import ANNOTATIONS_SIZE_MAX, annotations_size
from kcore.api.schema import JSON, fill
from kcore.registry.managed_fields.checking import check
from kcore.registry.managed_fields.comparison import ElementError, compare, field_set
from kcore.registry.managed_fields.field_sets import FieldSet, difference, union
from kcore.registry.managed_fields.schemas import Schema

__all__ = ["allowed_by_last_applied", "with_last_applied"]

_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

Tree = dict[str, JSON]


def allowed_by_last_applied(schema: Schema, kind: Kind, live: Tree) -> FieldSet:
    """The fields that stand as the annotation says; None where it says nothing of use."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(_ANNOTATION)
    if not text or too_deep(text.encode()):
        return None
    try:
        last = msgspec.json.decode(text)
        if not isinstance(last, dict) or last.pop("apiVersion", "") != kind.api_version:
            return None
        last.pop("kind", None)
        if check(schema, last):
            return None
        change = compare(schema, last, live)
        return difference(field_set(schema, last), union(change.changed, change.removed))
    except (msgspec.DecodeError, ElementError):
        return None


def with_last_applied(obj: Any, kind: Kind, config: Tree) -> None:
    """Write the annotation anew on an object that has it, unless that makes it too large."""
    metadata: ObjectMeta = obj.metadata
    if not metadata.annotations.get(_ANNOTATION):
        return
    annotations = {**metadata.annotations, _ANNOTATION: _text(kind, config)}
    if annotations_size(annotations) > ANNOTATIONS_SIZE_MAX:
        del annotations[_ANNOTATION]
    fill(metadata, annotations=annotations)


_ESCAPED = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def _text(kind: Kind, config: Tree) -> str:
    """The configuration as Go would encode it, without the annotation itself."""
    document = {"apiVersion": kind.api_version, "kind": kind.name, **config}
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and isinstance(annotations := metadata.get("annotations"), dict):
        kept = {k: v for k, v in annotations.items() if k != _ANNOTATION}
        document["metadata"] = {**metadata, "annotations": kept}
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.translate(_ESCAPED) + "\n"
