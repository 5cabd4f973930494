"""The scale of custom resources: the definition says where the replicas stand."""

from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import CustomResourceSubresourceScale
from kcore.api.autoscaling_v1 import ScaleSpec, ScaleStatus
from kcore.api.errors import NotFound
from kcore.api.kind import Kind
from kcore.api.object import CustomResource
from kcore.registry.custom.json_path import lookup, simple_path
from kcore.registry.custom.strategy import version_of
from kcore.registry.managed_fields.field_sets import field_node
from kcore.registry.managed_fields.scale import ReplicasPaths

__all__ = ["custom_scale", "replicas_paths", "with_replicas"]


def _paths(kind: Kind) -> CustomResourceSubresourceScale:
    below = version_of(kind).subresources
    assert below is not None
    assert below.scale is not None
    return below.scale


def custom_scale(kind: Kind, obj: CustomResource) -> tuple[ScaleSpec, ScaleStatus]:
    """Raises NotFound (upstream: an internal error) where the object says nothing of its replicas."""
    paths = _paths(kind)
    replicas = lookup(obj.content, simple_path(paths.spec_replicas_path))
    if not isinstance(replicas, int):
        raise NotFound(f'the spec replicas field "{paths.spec_replicas_path}" does not exist')
    running = lookup(obj.content, simple_path(paths.status_replicas_path))
    selector = lookup(obj.content, simple_path(paths.label_selector_path)) if paths.label_selector_path else ""
    return ScaleSpec(replicas=replicas), ScaleStatus(
        replicas=running if isinstance(running, int) else 0, selector=selector if isinstance(selector, str) else ""
    )


def replicas_paths(kind: Kind) -> ReplicasPaths:
    """Where each version of the definition keeps the replicas."""
    assert kind.definition is not None
    return {
        f"{kind.group}/{version.name}": field_node(simple_path(version.subresources.scale.spec_replicas_path))
        for version in kind.definition.spec.versions
        if version.subresources is not None and version.subresources.scale is not None
    }


def with_replicas(kind: Kind, obj: CustomResource, replicas: int) -> CustomResource:
    """A copy that wants so many replicas."""
    content: dict[str, Any] = dict(obj.content)
    *way, last = simple_path(_paths(kind).spec_replicas_path)
    at = content
    for name in way:
        below = at.get(name)
        at[name] = dict(below) if isinstance(below, dict) else {}
        at = at[name]
    at[last] = replicas
    return msgspec.structs.replace(obj, content=content)
