"""The cloud node controllers: nodes that come are told what machine they are, those whose machine is gone go too."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import Node, Taint
from kcore.api.timestamp import format_seconds
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, Result
from kcore.controllers.cloud.instances import Instance, Instances, MemoryInstances
from kcore.controllers.context import Context
from kcore.controllers.nodes import is_ready

__all__ = ["CloudNodeController", "CloudNodeLifecycleController"]

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
SHUT_DOWN = "node.cloudprovider.kubernetes.io/shutdown"
MONITOR_SECONDS = 5.0


def _cloud(context: Context) -> Instances | None:
    return MemoryInstances() if context.options.cloud_nodes else None


class CloudNodeController(Controller):
    """Initializes nodes that registered for it (`--cloud-provider external`). Without a cloud it leaves them alone."""

    name = "cloud-node-controller"
    root = Node

    def __init__(self, context: Context, cloud: Instances | None = None) -> None:
        super().__init__()
        self._client = context.client
        self._nodes = context.informers.of(Node)
        self._recorder = context.events.recorder("cloud-node-controller")
        self._cloud = cloud or _cloud(context)

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None or self._cloud is None or not _has(node, UNINITIALIZED):
            return
        instance = await self._cloud.describe(node)
        if instance.addresses:
            status = replace(node.status, addresses=tuple(instance.addresses))
            node = await self._client.update(replace(node, status=status), subresource="status")
        spec = replace(
            node.spec,
            provider_id=node.spec.provider_id or instance.provider_id,
            taints=_without(node, UNINITIALIZED),
        )
        metadata = replace(node.metadata, labels={**node.metadata.labels, **_labels(instance)})
        node = await self._client.update(replace(node, metadata=metadata, spec=spec))
        self._recorder.event(node, "Normal", "Synced", "Node synced successfully")


class CloudNodeLifecycleController(Controller):
    """Asks the cloud about nodes that are not ready. Without a cloud it leaves them alone."""

    name = "cloud-node-lifecycle-controller"
    root = Node

    def __init__(self, context: Context, cloud: Instances | None = None) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._nodes = context.informers.of(Node)
        self._recorder = context.events.recorder("cloud-node-lifecycle-controller")
        self._cloud = cloud or _cloud(context)

    async def reconcile(self, key: str) -> Result | None:
        node = self._nodes.get(key)
        if node is None or self._cloud is None:
            return None
        if is_ready(node):
            await self._taint(node, shut_down=False)
            return None
        if not await self._cloud.exists(node):
            message = f"Deleting node {key} because it does not exist in the cloud provider"
            self._recorder.event(node, "Normal", "DeletingNode", message)
            await delete_exactly(self._client, node)
            return None
        await self._taint(node, shut_down=await self._cloud.is_shut_down(node))
        return Result(MONITOR_SECONDS)  # the cloud tells nobody when a machine goes

    async def _taint(self, node: Node, *, shut_down: bool) -> None:
        if _has(node, SHUT_DOWN) is shut_down:
            return
        taints = _without(node, SHUT_DOWN)
        if shut_down:
            now = format_seconds(self._clock.now())
            taints += (Taint(key=SHUT_DOWN, effect="NoSchedule", time_added=now),)
        await self._client.update(replace(node, spec=replace(node.spec, taints=taints)))


def _has(node: Node, key: str) -> bool:
    return any(taint.key == key for taint in node.spec.taints)


def _without(node: Node, key: str) -> tuple[Taint, ...]:
    return tuple(taint for taint in node.spec.taints if taint.key != key)


def _labels(instance: Instance) -> Mapping[str, str]:
    told = {
        "node.kubernetes.io/instance-type": instance.type,
        "beta.kubernetes.io/instance-type": instance.type,
        "topology.kubernetes.io/zone": instance.zone,
        "failure-domain.beta.kubernetes.io/zone": instance.zone,
        "topology.kubernetes.io/region": instance.region,
        "failure-domain.beta.kubernetes.io/region": instance.region,
    }
    return {label: value for label, value in told.items() if value}
