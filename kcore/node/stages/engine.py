"""Stages at work: for each object of a fake node, the one that comes next, and the time when it does.

One queue holds the times of all objects. A change of an object that leaves its next stage the same leaves its time the
same, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import anyio
import msgspec
import structlog
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError, NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import CustomResource, Object
from kcore.api.timestamp import format_seconds
from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml
from kcore.client.client import Client, PatchType
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informer, Informers, key_of
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Chance, Clock
from kcore.node.addresses import RangeExhausted
from kcore.node.nodes import NodeKeeper
from kcore.node.stages.stage import Finalizers, Patch, Stage, StageError, chosen
from kcore.node.stages.templates import TemplateError, compile_template

__all__ = ["STAGE_GROUP", "StageEngine"]

STAGE_GROUP, STAGE_VERSION, STAGE_KIND = "kwok.x-k8s.io", "v1alpha1", "Stage"
WORKERS = 16
_TYPES: Mapping[str, type[Object]] = {"Pod": Pod, "Node": Node}
_PATCH_TYPES = {"merge": PatchType.MERGE, "strategic": PatchType.STRATEGIC, "json": PatchType.JSON}

log = structlog.get_logger(__name__)

Key = tuple[str, str]
"""Kind and key of an object."""


class Pending(NamedTuple):
    stage: Stage
    due: float
    uid: str


class StageEngine:
    """Follows Stages as soon as their kind is served, and objects as soon as there are any Stages for them."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        events: EventBroadcaster,
        clock: Clock,
        chance: Chance,
        nodes: NodeKeeper,
        objects: Mapping[str, Informer[Any]],
    ) -> None:
        """`objects`: the pods and nodes that may be driven, by kind."""
        self._client = client
        self._informers = informers
        self._recorder = events.recorder("kwok_controller")
        self._clock = clock
        self._chance = chance
        self._nodes = nodes
        self._objects = objects
        self._named: dict[str, Stage] = {}
        self._stages: dict[str, list[Stage]] = {}
        self._queue: WorkQueue[Key] = WorkQueue()
        self._pending: dict[Key, Pending] = {}
        self._addresses: dict[str, tuple[str, str]] = {}
        self._started_at = ""
        self.on_change: Callable[[], None] = lambda: None
        """Called when kinds begin or cease to be driven by Stages."""

    def drives(self, kind: str) -> bool:
        """Whether Stages decide over the objects of a kind."""
        return bool(self._stages.get(kind))

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until cancelled."""
        self._started_at = format_seconds(self._clock.now())
        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(self._work)
            for name, informer in self._objects.items():
                informer.add_handler(self._watcher(name))
            self._client.scheme.subscribe(self._kind_changed)
            if (kind := self._client.scheme.find_kind(STAGE_GROUP, STAGE_VERSION, STAGE_KIND)) is not None:
                self._kind_changed(kind, True)
            task_status.started()

    def _kind_changed(self, kind: Kind, served: bool) -> None:
        if (kind.group, kind.version, kind.name) != (STAGE_GROUP, STAGE_VERSION, STAGE_KIND):
            return
        if served:
            informer: Informer[CustomResource] = self._informers.of(kind)
            informer.add_handler(self._stage_changed)
        else:
            self._named.clear()
            self._sort()

    def _stage_changed(self, old: CustomResource | None, new: CustomResource | None) -> None:
        if new is None:
            assert old is not None
            self._named.pop(old.metadata.name, None)
        else:
            try:
                stage = Stage(new.metadata.name, new.content.get("spec") or {})
                self._named[stage.name] = stage
                if stage.kind not in _TYPES:
                    log.warning("a stage for what is neither Pod nor Node is not followed", stage=stage.name)
            except StageError as error:
                self._named.pop(new.metadata.name, None)
                log.warning("stage makes no sense", why=str(error))
        self._sort()

    def _sort(self) -> None:
        before = {kind for kind in _TYPES if self.drives(kind)}
        self._stages = {kind: [s for s in self._named.values() if s.kind == kind] for kind in _TYPES}
        for kind, informer in self._objects.items():
            for obj in informer.values() if self.drives(kind) else ():
                self._queue.add((kind, key_of(obj)))
        if before != {kind for kind in _TYPES if self.drives(kind)}:
            self.on_change()

    def _watcher(self, kind: str) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            gone = old if new is None or (old is not None and old.metadata.uid != new.metadata.uid) else None
            if gone is not None:
                self._forget((kind, key_of(gone)), gone.metadata.uid)
            if new is not None and self._stages.get(kind):
                self._queue.add((kind, key_of(new)))

        return changed

    def _forget(self, key: Key, uid: str) -> None:
        self._pending.pop(key, None)
        node, ip = self._addresses.pop(uid, ("", ""))
        served = self._nodes.get(node)
        if served is not None and served.addresses is not None:
            served.addresses.release(ip)

    async def _work(self) -> None:
        queue = self._queue
        while True:
            key = await queue.get()
            try:
                await self._look(key)
                queue.forget(key)
            except NotFound:
                queue.forget(key)
            except ApiError as error:
                log.debug("stage not applied", object=key[1], why=error.message)
                queue.add_rate_limited(key)
            except TemplateError as error:
                log.warning("stage not applied", object=key[1], why=str(error))
                queue.forget(key)
            except Exception:
                log.exception("stage failed", object=key[1])
                queue.add_rate_limited(key)
            finally:
                queue.done(key)

    async def _look(self, key: Key) -> None:
        """Apply the stage whose time has come, or note which one comes next."""
        kind, name = key
        obj = self._objects[kind].get(name)
        if obj is None or not self._is_ours(obj):
            return
        tree = msgspec.json.decode(msgspec.json.encode(obj))
        pending = self._pending.get(key)
        if pending is None or pending.uid != obj.metadata.uid or not self._still_comes(pending.stage, kind, tree):
            pending = self._choose(key, obj, tree)
            if pending is None:
                self._pending.pop(key, None)
                return
        left = pending.due - self._clock.now()
        if left > 0:
            self._queue.add_after(key, left)
            return
        del self._pending[key]
        await self._apply(pending.stage, kind, obj, tree)

    def _is_ours(self, obj: Object) -> bool:
        name = obj.spec.node_name if isinstance(obj, Pod) else obj.metadata.name
        served = self._nodes.get(name)
        return served is not None and served.runtime.editable

    def _still_comes(self, stage: Stage, kind: str, tree: Any) -> bool:
        return stage in self._stages.get(kind, ()) and stage.matches(tree)

    def _choose(self, key: Key, obj: Object, tree: Any) -> Pending | None:
        random, now = self._chance.random, self._clock.now()
        stage = chosen(self._stages.get(key[0], ()), tree, random.random())
        if stage is None:
            return None
        pending = Pending(stage, now + stage.delay(tree, now, random.random()), obj.metadata.uid)
        self._pending[key] = pending
        return pending

    async def _apply(self, stage: Stage, kind: str, obj: Object, tree: Any) -> None:
        metadata, after = obj.metadata, stage.spec.next
        if after.event is not None:
            self._recorder.event(obj, after.event.type, after.event.reason, after.event.message)
        if after.finalizers is not None:
            await self._set_finalizers(kind, obj, after.finalizers)
        if after.delete:
            options = DeleteOptions(grace_period_seconds=0)
            await self._client.delete(_TYPES[kind], metadata.name, metadata.namespace, options)
            return
        for patch in stage.patches:
            await self._patch(kind, obj, tree, patch)

    async def _set_finalizers(self, kind: str, obj: Object, wanted: Finalizers) -> None:
        removed = {finalizer.value for finalizer in wanted.remove}
        kept = [] if wanted.empty else [name for name in obj.metadata.finalizers if name not in removed]
        kept += [finalizer.value for finalizer in wanted.add if finalizer.value not in kept]
        if kept != list(obj.metadata.finalizers):
            change = {"metadata": {"finalizers": kept or None}}
            await self._client.patch(_TYPES[kind], obj.metadata.name, change, obj.metadata.namespace)

    async def _patch(self, kind: str, obj: Object, tree: Any, patch: Patch) -> None:
        text = compile_template(patch.template).render(tree, self._functions(obj))
        try:
            change = parse_yaml(text.encode()).tree
        except YAMLSyntaxError as error:
            raise TemplateError(f"the template gives no YAML: {error}") from error
        if change is None:
            return
        await self._client.patch(
            _TYPES[kind],
            obj.metadata.name,
            {patch.root: change} if patch.root else change,
            obj.metadata.namespace,
            patch_type=_PATCH_TYPES.get(patch.type, PatchType.STRATEGIC),
            subresource=patch.subresource,
        )

    def _functions(self, obj: Object) -> Mapping[str, Callable[..., Any]]:
        """What templates may ask for beside the object."""
        name = obj.spec.node_name if isinstance(obj, Pod) else obj.metadata.name
        served = self._nodes[name]

        def node_ip(of: str = name) -> str:
            other = self._nodes.get(of)
            return other.host_ip if other is not None else served.host_ip

        def pod_ip(node: str = name, host_network: bool = False, *_: str) -> str:
            return node_ip(node) if host_network else self._pod_ip(obj)

        return {
            "Now": lambda: format_seconds(self._clock.now()),
            "StartTime": lambda: self._started_at,
            "Version": lambda: "kcore",
            "NodeName": lambda: name,
            "NodePort": lambda: self._nodes.kubelet_port,
            "NodeIP": node_ip,
            "NodeIPWith": node_ip,
            "PodIP": pod_ip,
            "PodIPWith": pod_ip,
            "NodeConditions": lambda: self._nodes.conditions(name),
        }

    def _pod_ip(self, obj: Object) -> str:
        """The address of a pod: the one that it has, or a new one that it keeps."""
        assert isinstance(obj, Pod)
        if obj.status.pod_ip:
            return obj.status.pod_ip
        uid, served = obj.metadata.uid, self._nodes[obj.spec.node_name]
        if uid not in self._addresses:
            if served.addresses is None:
                raise TemplateError(f"node {served.name} has no range of addresses")
            try:
                self._addresses[uid] = (served.name, served.addresses.take())
            except RangeExhausted as error:
                raise TemplateError(str(error)) from error
        return self._addresses[uid][1]
