"""What a write at each address can own: upstream's reset fields, of the objects themselves and of subresources."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.api.autoscaling_v1 import Scale
from kcore.api.kind import STATUS, Kind
from kcore.api.schema import Struct
from kcore.registry.managed_fields.custom_schemas import custom_schema
from kcore.registry.managed_fields.field_sets import LEAF, Node
from kcore.registry.managed_fields.schemas import schema_of
from kcore.registry.managed_fields.updater import Scope

__all__ = ["SCALE_KIND", "scope_of"]

SCALE_KIND = Kind("autoscaling", "v1", "Scale", "scales", Scale, subresources=(STATUS,))
"""What is written at a scale subresource."""

_STATUS: Node = {"f:status": LEAF}

# What updates of a status leave alone beside the rest of the object.
_KEPT_BY_STATUS: Mapping[str, Node] = {
    "pods": {"f:metadata": {"f:deletionTimestamp": LEAF, "f:ownerReferences": LEAF}},
    "deployments.apps": {"f:metadata": {"f:labels": LEAF}},
    "volumeattachments.storage.k8s.io": {"f:metadata": LEAF},
    "flowschemas.flowcontrol.apiserver.k8s.io": {"f:metadata": LEAF},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {"f:metadata": LEAF},
    "customresourcedefinitions.apiextensions.k8s.io": {"f:metadata": LEAF},
}

# Of custom kinds, upstream's list is short: what else an update of a status says is dropped, but owned.
_KEPT_BY_CUSTOM_STATUS: Node = {"f:spec": LEAF}

_RESOURCES: Node = {"*": {"f:resources": LEAF, "f:resizePolicy": LEAF}}

# The only parts that some subresources change.
_ONLY: Mapping[str, Node] = {
    "ephemeralcontainers": {"f:spec": {"f:ephemeralContainers": LEAF}},
    "resize": {"f:spec": {"f:containers": _RESOURCES, "f:initContainers": _RESOURCES}},
}


def scope_of(kind: Kind, subresource: str = "") -> Scope:
    type_: type[Struct] = kind.type
    schema = schema_of(type_) if kind.definition is None else custom_schema(kind)
    if subresource in _ONLY:
        return Scope(schema, kind.api_version, only=_ONLY[subresource])
    if subresource in ("", "finalize", "scale"):
        return Scope(schema, kind.api_version, _STATUS if kind.subresource("status") else None)
    if kind.definition is not None:
        return Scope(schema, kind.api_version, _KEPT_BY_CUSTOM_STATUS)
    others = {f"f:{wire}": LEAF for wire in schema.fields if wire not in ("kind", "apiVersion", "metadata", "status")}
    kept = {**others, **_KEPT_BY_STATUS.get(kind.group_resource, LEAF)}
    if subresource == "approval":
        kept["f:status"] = {"f:certificate": LEAF}
    return Scope(schema, kind.api_version, kept)
