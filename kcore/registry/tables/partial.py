"""The metadata of an object by itself, as tables and PartialObjectMetadata carry it.

Upstream takes it from the internal form of the object, which keeps in fields what some versions say in annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kcore.api.apps_v1 import DaemonSet
from kcore.api.autoscaling_v1 import HorizontalPodAutoscaler
from kcore.api.meta_v1 import ObjectMeta

__all__ = ["partial_metadata"]

_FIELDS: Mapping[type[Any], frozenset[str]] = {
    DaemonSet: frozenset(("deprecated.daemonset.template.generation",)),
    HorizontalPodAutoscaler: frozenset(
        f"autoscaling.alpha.kubernetes.io/{name}" for name in ("metrics", "current-metrics", "conditions", "behavior")
    ),
}


def partial_metadata(obj: Any) -> ObjectMeta:
    metadata: ObjectMeta = obj.metadata
    fields = _FIELDS.get(type(obj))
    if fields is None or not metadata.annotations.keys() & fields:
        return metadata
    annotations = {key: value for key, value in metadata.annotations.items() if key not in fields}
    return msgspec.structs.replace(metadata, annotations=annotations)
