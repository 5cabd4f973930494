"""The pod garbage collector: deletes pods that nobody else will.

Those are pods of nodes that are gone, pods that were deleted before they had a node, pods that cannot end on a node
that is out of service (KEP-2268), and the oldest finished pods where there are too many of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, PodCondition
from kcore.api.errors import Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.controllers.nodelifecycle import BY_NODE
from kcore.controllers.nodes import is_out_of_service
from kcore.controllers.pods import is_finished

__all__ = ["PodGarbageCollector"]

QUARANTINE = 40.0
"""How long a node may be missing before its pods are given up."""
FINISHED = "finished pods"
"""A key beside those of pods, and the index behind it: no pod's key has a space."""

NODE_GONE = PodCondition(
    type="DisruptionTarget", status="True", reason="DeletionByPodGC", message="PodGC: node no longer exists"
)


class PodGarbageCollector(Controller):
    """Looks at a pod when it or its node gives reason to."""

    name = "pod-garbage-collector"
    root = Pod

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._most_finished = context.options.terminated_pod_gc_threshold
        self._nodes = context.informers.of(Node)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_NODE, lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())
        self._finished: set[str] = set()
        self._missing_since: dict[str, float] = {}

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pod_changed, Node: self._node_changed}

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        pod = new if new is not None else old
        assert pod is not None
        key = key_of(pod)
        if new is None:
            self._finished.discard(key)
            return
        if is_finished(new):
            self._finished.add(key)
            if len(self._finished) > self._most_finished:
                yield FINISHED
        node = new.spec.node_name
        if new.metadata.deletion_timestamp is not None or (node and self._nodes.get(node) is None):
            yield key

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        node = new if new is not None else old
        assert node is not None
        if new is not None:
            self._missing_since.pop(node.metadata.name, None)
        if new is None or is_out_of_service(new):
            for pod in self._pods.by_index(BY_NODE, node.metadata.name):
                yield key_of(pod)

    async def reconcile(self, key: str) -> Result | None:
        if key == FINISHED:
            await self._thin_out()
            return None
        pod = self._pods.get(key)
        if pod is None:
            return None
        name, deleted = pod.spec.node_name, pod.metadata.deletion_timestamp is not None
        if not name:
            if deleted:
                await self._remove(pod)
            return None
        node = self._nodes.get(name)
        if node is not None:
            if deleted and is_out_of_service(node):
                await self._remove(pod)
            return None
        since = self._missing_since.setdefault(name, self._clock.now())
        left = since + QUARANTINE - self._clock.now()
        if left > 0:
            return Result(left)
        if not await self._exists(name):
            await self._remove(pod, NODE_GONE)
        return None

    async def _exists(self, node: str) -> bool:
        """Asked of the server, as the cache may be late."""
        try:
            await self._client.get(Node, node)
        except NotFound:
            return False
        return True

    async def _thin_out(self) -> None:
        """Delete finished pods, evicted ones first and then the oldest, until there are no more than allowed."""
        pods = [pod for pod in map(self._pods.get, self._finished) if pod is not None]
        pods.sort(key=_worth)
        for pod in pods[: max(0, len(pods) - self._most_finished)]:
            await self._remove(pod)

    async def _remove(self, pod: Pod, why: PodCondition | None = None) -> None:
        """Delete a pod at once. One that has not ended is marked Failed first, for those who count."""
        metadata = pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        try:
            if not is_finished(pod):
                failed = _failed(pod, why, format_seconds(self._clock.now()))
                patch = {"metadata": {"uid": metadata.uid}, "status": msgspec.to_builtins(failed.status)}
                await self._client.patch(Pod, metadata.name, patch, metadata.namespace, subresource="status")
            await self._client.delete(Pod, metadata.name, metadata.namespace, options)
        except NotFound:
            return
        except Conflict:
            # The cache is late: what it shows next is a change only if it is still about this pod.
            self.queue.add_rate_limited(key_of(pod))


def _worth(pod: Pod) -> tuple[bool, str, str]:
    evicted = pod.status.phase == "Failed" and pod.status.reason == "Evicted"
    return not evicted, pod.metadata.creation_timestamp or "", pod.metadata.name


def _failed(pod: Pod, why: PodCondition | None, now: str) -> Pod:
    conditions = pod.status.conditions
    if why is not None:
        others = tuple(c for c in conditions if c.type != why.type)
        conditions = (*others, replace(why, last_transition_time=now, observed_generation=pod.metadata.generation))
    status = replace(pod.status, phase="Failed", conditions=conditions)
    return replace(pod, status=status)
