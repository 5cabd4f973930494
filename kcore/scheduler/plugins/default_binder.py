"""Binds a pod by posting to its `binding` subresource."""

from __future__ import annotations

from kcore.api.core_v1 import Binding, ObjectReference, Pod
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Client
from kcore.scheduler.framework import CycleState, Status
from kcore.scheduler.pod_info import PodInfo

__all__ = ["DefaultBinder"]


class DefaultBinder:
    name = "DefaultBinder"

    def __init__(self, client: Client) -> None:
        self._client = client

    async def bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        metadata = pod.pod.metadata
        binding = Binding(
            metadata=ObjectMeta(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid),
            target=ObjectReference(kind="Node", name=node_name),
        )
        await self._client.create_subresource(Pod, metadata.name, metadata.namespace, "binding", binding)
        return None
