"""The priority classes that every cluster has, made at start where they are absent."""

from __future__ import annotations

from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheduling_v1 import PriorityClass
from kcore.client.client import Client

__all__ = ["SYSTEM_PRIORITY_CLASSES", "ensure_priority_class"]

_NODE = "Used for system critical pods that must not be moved from their current node."
_CLUSTER = "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."

SYSTEM_PRIORITY_CLASSES = (
    PriorityClass(metadata=ObjectMeta(name="system-node-critical"), value=2_000_001_000, description=_NODE),
    PriorityClass(metadata=ObjectMeta(name="system-cluster-critical"), value=2_000_000_000, description=_CLUSTER),
)


async def ensure_priority_class(client: Client, wanted: PriorityClass) -> None:
    """Create a class where it is absent."""
    try:
        await client.get(PriorityClass, wanted.metadata.name)
    except NotFound:
        try:
            await client.create(wanted)
        except AlreadyExists:
            return
