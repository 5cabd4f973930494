"""The Protocol between nodes and the cloud whose machines they are, and the cloud that kcore brings along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kcore.api.core_v1 import Node, NodeAddress

__all__ = ["INSTANCE", "Instance", "Instances", "MemoryInstances"]

INSTANCE = "kcore.dev/instance"
"""The annotation by which a node tells the cloud in memory that its machine is `stopped` or `gone`."""


class Instance(NamedTuple):
    """What the cloud says of a machine. `addresses`: none where those stay that the kubelet found."""

    provider_id: str
    type: str = ""
    zone: str = ""
    region: str = ""
    addresses: Sequence[NodeAddress] = ()


class Instances(Protocol):
    """Each call may raise CloudError, and be repeated."""

    async def exists(self, node: Node) -> bool: ...

    async def is_shut_down(self, node: Node) -> bool: ...

    async def describe(self, node: Node) -> Instance: ...


class MemoryInstances:
    """Has a machine for every node that does not say otherwise."""

    async def exists(self, node: Node) -> bool:
        return node.metadata.annotations.get(INSTANCE) != "gone"

    async def is_shut_down(self, node: Node) -> bool:
        return node.metadata.annotations.get(INSTANCE) == "stopped"

    async def describe(self, node: Node) -> Instance:
        return Instance(f"kcore://{node.metadata.name}", "kcore")
