"""The priority classes that every cluster has."""

from __future__ import annotations

from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheduling_v1 import PriorityClass

__all__ = ["SYSTEM_PRIORITY_CLASSES"]

_NODE = "Used for system critical pods that must not be moved from their current node."
_CLUSTER = "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."

SYSTEM_PRIORITY_CLASSES = (
    PriorityClass(metadata=ObjectMeta(name="system-node-critical"), value=2_000_001_000, description=_NODE),
    PriorityClass(metadata=ObjectMeta(name="system-cluster-critical"), value=2_000_000_000, description=_CLUSTER),
)
