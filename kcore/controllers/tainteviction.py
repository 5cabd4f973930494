"""Evicts pods from nodes with NoExecute taints: what does not tolerate them at once, the rest when its time is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, PodCondition, Taint, Toleration
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds, parse
from kcore.api.tolerations import tolerates
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.controllers.nodelifecycle import BY_NODE

__all__ = ["TaintEvictionController", "seconds_tolerated"]


class TaintEvictionController(Controller):
    """Looks at pods of tainted nodes."""

    name = "taint-eviction-controller"
    root = Pod

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.events.recorder(self.name)
        self._nodes = context.informers.of(Node)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_NODE, lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pod_changed, Node: self._node_changed}

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        """A pod that was just bound, or tolerates something else than before."""
        if new is None or not new.spec.node_name:
            return
        if old is not None and (old.spec is new.spec or _concern(old) == _concern(new)):
            return
        node = self._nodes.get(new.spec.node_name)
        if node is not None and node.spec.taints and _no_execute(node):
            yield f"{new.metadata.namespace}/{new.metadata.name}"

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        if new is None or (_no_execute(old) if old is not None else []) == _no_execute(new):
            return
        for pod in self._pods.by_index(BY_NODE, new.metadata.name):
            yield f"{pod.metadata.namespace}/{pod.metadata.name}"

    async def reconcile(self, key: str) -> Result | None:
        pod = self._pods.get(key)
        node = self._nodes.get(pod.spec.node_name) if pod is not None else None
        if pod is None or node is None or pod.metadata.deletion_timestamp is not None:
            return None
        left = self._seconds_left(pod, _no_execute(node))
        if left is None:
            return None
        if left > 0:
            return Result(left)
        await self._evict(pod)
        return None

    def _seconds_left(self, pod: Pod, taints: Sequence[Taint]) -> float | None:
        """Until the first taint is tolerated no longer; None: they all are for good."""
        now = self._clock.now()
        ends = []
        for taint in taints:
            seconds = seconds_tolerated(taint, pod.spec.tolerations)
            if seconds is not None:
                since = parse(taint.time_added) if taint.time_added else now
                ends.append(since + seconds - now if seconds > 0 else 0.0)
        return min(ends, default=None)

    async def _evict(self, pod: Pod) -> None:
        metadata = pod.metadata
        self._recorder.event(
            pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {metadata.namespace}/{metadata.name}"
        )
        options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
        try:
            await self._client.update(_disrupted(pod, format_seconds(self._clock.now())), subresource="status")
            await self._client.delete(Pod, metadata.name, metadata.namespace, options)
        except NotFound:
            return


def seconds_tolerated(taint: Taint, tolerations: Sequence[Toleration]) -> float | None:
    """How long a taint is tolerated from when it was added on: 0 not at all, None for ever."""
    fitting = [t for t in tolerations if tolerates(t, taint)]
    if not fitting:
        return 0.0
    limits = [t.toleration_seconds for t in fitting if t.toleration_seconds is not None]
    return float(max(0, min(limits))) if limits else None


def _no_execute(node: Node) -> list[Taint]:
    return [taint for taint in node.spec.taints if taint.effect == "NoExecute"]


def _concern(pod: Pod) -> object:
    return pod.spec.node_name, pod.spec.tolerations


def _disrupted(pod: Pod, now: str) -> Pod:
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="DeletionByTaintManager",
        message="Taint manager: deleting due to NoExecute taint",
        last_transition_time=now,
    )
    others = tuple(c for c in pod.status.conditions if c.type != "DisruptionTarget")
    return replace(pod, status=replace(pod.status, conditions=(*others, condition)))
