"""The pods of all served nodes: each change of a pod or of what its runtime reports leads to one look at it.

A look lets the state machine and the runtime settle, then writes the status once. Looks at different pods run side by
side, so that their writes share the store's commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from anyio.abc import TaskGroup
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodStatus
from kcore.api.errors import ApiError, Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster, EventRecorder
from kcore.client.informer import Informer, key_of
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Clock
from kcore.node.addresses import RangeExhausted
from kcore.node.allocation import DEFERRED, ResizeEvent
from kcore.node.local_pod import LocalPod, question
from kcore.node.nodes import NodeKeeper, ServedNode
from kcore.node.pod_admission import demand_of, rejection
from kcore.node.pod_events import back_off_events, events_between
from kcore.node.pod_lifecycle import (
    Delete,
    Effect,
    Plan,
    PullImage,
    PullVolume,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
    plan,
)
from kcore.node.pod_phase import TERMINAL, PodPhase
from kcore.node.pod_status import pod_status
from kcore.node.pressure import Shortage, victim
from kcore.node.runtime import NOTHING
from kcore.node.sources.static_pods import StaticPods, is_mirror

__all__ = ["BY_NODE", "PodKeeper"]

BY_NODE = "node"
WORKERS = 32
MOST_STEPS = 100
RETRY_SANDBOX_SECONDS = 10.0
RETRY_MIRROR_SECONDS = 10.0

log = structlog.get_logger(__name__)


class PodKeeper:
    """Runs pods on the nodes that `nodes` serves."""

    def __init__(
        self, client: Client, informer: Informer[Pod], events: EventBroadcaster, clock: Clock, nodes: NodeKeeper
    ) -> None:
        self._client = client
        self._informer = informer
        self._events = events
        self._clock = clock
        self._nodes = nodes
        self._queue: WorkQueue[str] = WorkQueue()
        self._pods: dict[str, LocalPod] = {}
        self._recorders: dict[str, EventRecorder] = {}
        self.static = StaticPods(client, clock, self._queue.add)
        self.is_scripted: Callable[[], bool] = lambda: False
        """Whether somebody else decides over the pods of fake nodes."""
        informer.add_index(BY_NODE, _node_of)

    def start(self, tasks: TaskGroup) -> None:
        """Begin to run pods."""
        for _ in range(WORKERS):
            tasks.start_soon(self._work)

    def follow(self) -> None:
        """Run the API server's pods, too, now that all of them are known."""
        self._informer.add_handler(self._changed)
        self._forget_strangers()

    def _forget_strangers(self) -> None:
        """End what an earlier process left of pods that are gone by now."""
        known = {pod.metadata.uid for pod in (*self._informer.values(), *self.static.values())}
        for runtime in self._nodes.runtimes():
            for uid in set(runtime.uids()) - known:
                runtime.forget(uid)

    def look_at_all(self) -> None:
        for pod in self._informer.values():
            self._queue.add(key_of(pod))

    def local(self, uid: str) -> LocalPod | None:
        """What runs here with that uid."""
        return self._pods.get(uid)

    def object(self, namespace: str, name: str) -> Pod | None:
        """A pod of one of our nodes."""
        pod = self._wanted(f"{namespace}/{name}")
        return pod if pod is not None and self._nodes.get(pod.spec.node_name) is not None else None

    def on_node(self, node: str) -> list[Pod]:
        """The pods that the API server has bound to a node, and its static ones."""
        bound = [pod for pod in self._informer.by_index(BY_NODE, node) if not is_mirror(pod)]
        return [*bound, *(pod for pod in self.static.values() if pod.spec.node_name == node)]

    def node_served(self, node: ServedNode) -> None:
        for pod in (*self._informer.by_index(BY_NODE, node.name), *self.on_node(node.name)):
            self._queue.add(key_of(pod))

    def node_found(self, node: ServedNode) -> None:
        """Others took a node for dead: what they then said of its pods is to be put right."""
        for local in self._pods.values():
            if local.node is node:
                local.answered = None
                self._queue.add(local.key)

    async def node_short(self, node: ServedNode, shortage: Shortage) -> None:
        """A node is short of something: one pod has to go, and what it uses with it."""
        pods = [
            pod
            for pod in self.on_node(node.name)
            if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp
        ]
        memory = {}
        for pod in pods:
            usage = await node.runtime.stats(pod.metadata.uid)
            memory[pod.metadata.uid] = sum(used.memory_bytes for used in usage.values())
        chosen = victim(pods, memory, shortage)
        if chosen is None:
            return
        try:
            await self._fail(chosen.pod, PodPhase("Failed", "Evicted", chosen.message))
        except ApiError as error:
            log.warning("pod not evicted", pod=key_of(chosen.pod), why=error.message)
            return
        self._recorder(node).event(chosen.pod, "Warning", "Evicted", chosen.message)

    def node_dropped(self, node: ServedNode) -> None:
        self._recorders.pop(node.name, None)
        for uid in [uid for uid, local in self._pods.items() if local.node is node]:
            self._forget(uid)

    def runtime_changed(self, uid: str) -> None:
        """A runtime reports something new of a pod."""
        local = self._pods.get(uid)
        if local is not None and not local.stepping:
            self._queue.add(local.key)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._forget(old.metadata.uid)
            if is_mirror(old):
                self._queue.add(key_of(old))
        if new is not None and self._nodes.get(new.spec.node_name) is not None:
            self._queue.add(key_of(new))

    def _forget(self, uid: str) -> None:
        local = self._pods.pop(uid, None)
        if local is None:
            return
        self._release(local)
        self._give_back(local)
        local.node.runtime.forget(uid)

    async def _work(self) -> None:
        queue = self._queue
        while True:
            key = await queue.get()
            try:
                await self._look(key)
                queue.forget(key)
            except NotFound:
                queue.forget(key)  # it is gone, as the informer will soon say
            except Conflict:
                # Its newer version is on its way to the informer and brings us back; the delay is for lost ways.
                queue.add_after(key, 1.0)
            except ApiError as error:
                log.warning("pod status not written", pod=key, why=error.message)
                queue.add_rate_limited(key)
            except Exception:
                log.exception("pod failed", pod=key)
                queue.add_rate_limited(key)
            finally:
                queue.done(key)

    async def _look(self, key: str) -> None:
        pod = self._wanted(key)
        if pod is None:
            await self._drop_orphan(key)
            return
        node = self._nodes.get(pod.spec.node_name)
        if node is None:
            return
        if node.runtime.editable and self.is_scripted():
            return
        local = self._pods.get(pod.metadata.uid) or self._meet(key, pod, node)
        if local.rejected is not None and pod.status.phase not in TERMINAL:
            await self._reject(pod, node, local.rejected)
            return
        events = [*local.allocation.decide(pod, self._nodes.object(node.name), node.load)]
        self._note_room(local, freed=bool(events))
        is_new, local.seen, pod = local.seen is not pod, pod, local.allocation.of(pod)
        if (is_new or events) and local.reported is not NOTHING:
            node.runtime.update_pod(pod)
        if self._nothing_new(pod, local):
            return
        local.answered = None  # until what follows has been written
        result = self._settle(pod, local)
        state = node.runtime.state(local.uid)
        status = pod_status(pod, state, self._clock.now(), node.host_ip, local.allocation.pending)
        events += local.allocation.settled(pod, state)
        self._tell(pod, local, status, events)
        local.wake_at = result.wake_at
        if result.wake_at is not None:
            self._queue.add_after(key, max(0.01, result.wake_at - self._clock.now()))
        gone = any(isinstance(effect, Delete) for effect in result.effects)
        if status.phase in TERMINAL:
            self._give_back(local)
        if key in self.static:
            await self._show_static(key, pod, status, gone=gone)
            return
        # A last status, too: whoever watches learns from it how the containers ended, before the object goes.
        if status != pod.status:
            pod = await self._client.update(replace(pod, status=status), subresource="status")
        if gone:
            await self._delete(pod)
        if node.runtime.state(local.uid) is state:
            local.answered = question(pod, node)

    def _wanted(self, key: str) -> Pod | None:
        """What is to run under that name: a static pod before one of the API server, and never a mirror."""
        if (static := self.static.get(key)) is not None:
            return static
        pod = self._informer.get(key)
        return None if pod is not None and is_mirror(pod) else pod

    async def _show_static(self, key: str, pod: Pod, status: PodStatus, *, gone: bool) -> None:
        self.static.set_status(key, status)
        if gone:
            self._forget(pod.metadata.uid)
            self.static.ended(key)
        node = self._nodes.object(pod.spec.node_name)
        if not await self.static.show(key, self._informer.get(key), node):
            self._queue.add_after(key, RETRY_MIRROR_SECONDS)

    async def _drop_orphan(self, key: str) -> None:
        """Remove a mirror whose pod is no longer wanted here."""
        mirror = self._informer.get(key)
        if mirror is not None and self.static.complete and self._nodes.get(mirror.spec.node_name) is not None:
            await self.static.show(key, mirror, None)

    async def _reject(self, pod: Pod, node: ServedNode, why: PodPhase) -> None:
        await self._fail(pod, why)
        self._recorder(node).event(pod, "Warning", why.reason, why.message)

    async def _fail(self, pod: Pod, why: PodPhase) -> None:
        """Declare a pod failed; the state machine then ends what runs of it."""
        now = format_seconds(self._clock.now())
        phase, reason, message = why
        status = replace(
            pod.status, phase=phase, reason=reason, message=message, start_time=pod.status.start_time or now
        )
        if (key := key_of(pod)) in self.static:
            self.static.set_status(key, status)
            self._queue.add(key)
        else:
            await self._client.update(replace(pod, status=status), subresource="status")

    def _note_room(self, local: LocalPod, *, freed: bool) -> None:
        """Remember who waits for room on its node, and see to them once there may be some."""
        load, pending = local.node.load, local.allocation.pending
        if pending is None:
            load.waiting.discard(local.uid)
            if freed:
                self._retry_resizes(local.node)
        elif pending.reason == DEFERRED:
            load.waiting.add(local.uid)

    def _give_back(self, local: LocalPod) -> None:
        if local.node.load.remove(local.uid):
            self._retry_resizes(local.node)

    def _retry_resizes(self, node: ServedNode) -> None:
        """Look at the pods that wait for room, the most important first."""
        waiting = [local for uid in node.load.waiting if (local := self._pods.get(uid)) is not None]
        for local in sorted(waiting, key=lambda local: -(local.seen.spec.priority or 0 if local.seen else 0)):
            local.answered = None
            self._queue.add(local.key)

    def _nothing_new(self, pod: Pod, local: LocalPod) -> bool:
        """Whether this is only the echo of what we wrote ourselves, or an edit that stands."""
        return (
            question(pod, local.node) == local.answered
            and local.node.runtime.state(local.uid) is local.reported
            and (local.wake_at is None or self._clock.now() < local.wake_at)
        )

    def _meet(self, key: str, pod: Pod, node: ServedNode) -> LocalPod:
        """See a pod for the first time: a new one, or one that an earlier process has started."""
        uid, status = pod.metadata.uid, pod.status
        local = self._pods[uid] = LocalPod(key, pod, node)
        pod = local.allocation.of(pod)
        begun = (status.pod_ip or status.container_statuses) and status.phase not in TERMINAL
        if begun or uid in node.runtime.uids():
            node.runtime.recover(pod)
            local.reported = node.runtime.state(uid)
            sandbox = local.reported.sandbox
            if sandbox is not None and not pod.spec.host_network and node.addresses is not None:
                node.addresses.occupy(sandbox.ip)
        if status.phase not in TERMINAL:
            self._admit(pod, local, begun=bool(begun))
        return local

    def _admit(self, pod: Pod, local: LocalPod, *, begun: bool) -> None:
        """Count what a pod takes, if the node has it to give. One that runs already is never turned away."""
        demand, node = demand_of(pod), self._nodes.object(local.node.name)
        if not begun and node is not None and pod.metadata.deletion_timestamp is None:
            local.rejected = rejection(pod, demand, node, local.node.load)
        if local.rejected is None:
            local.node.load.add(local.uid, demand)

    def _settle(self, pod: Pod, local: LocalPod) -> Plan:
        """Plan and act until the runtime has nothing new to report for the moment."""
        runtime = local.node.runtime
        local.stepping = True
        try:
            for _ in range(MOST_STEPS):
                before = runtime.state(local.uid)
                result = plan(pod, before, self._clock.now())
                for effect in result.effects:
                    self._perform(effect, pod, local)
                if runtime.state(local.uid) is before:
                    return result
        finally:
            local.stepping = False
        raise RuntimeError(f"pod {local.key} does not settle")

    def _perform(self, effect: Effect, pod: Pod, local: LocalPod) -> None:
        runtime = local.node.runtime
        match effect:
            case RunSandbox():
                self._run_sandbox(pod, local)
            case PullImage(container):
                runtime.pull_image(pod, container)
            case PullVolume(volume):
                runtime.pull_volume(pod, volume)
            case StartContainer(container, restart_count, crashes):
                runtime.start_container(pod, container, restart_count, crashes)
            case StopContainer(name, by):
                runtime.stop_container(local.uid, name, by)
            case StopSandbox():
                self._release(local)
                runtime.stop_sandbox(local.uid)
            case Delete():
                pass  # the caller does that last

    def _run_sandbox(self, pod: Pod, local: LocalPod) -> None:
        node = local.node
        if pod.spec.host_network:
            node.runtime.run_sandbox(pod, node.host_ip)
            return
        try:
            if node.addresses is None:
                raise RangeExhausted("the node has no pod range")
            node.runtime.run_sandbox(pod, node.addresses.take())
        except RangeExhausted as error:
            message = f"Failed to create pod sandbox: {error}"
            self._recorder(node).event(pod, "Warning", "FailedCreatePodSandBox", message)
            self._queue.add_after(local.key, RETRY_SANDBOX_SECONDS)

    def _release(self, local: LocalPod) -> None:
        """Give the address of a pod's sandbox back to its node."""
        sandbox = local.node.runtime.state(local.uid).sandbox
        if sandbox is not None and local.node.addresses is not None and sandbox.ip != local.node.host_ip:
            local.node.addresses.release(sandbox.ip)

    def _tell(self, pod: Pod, local: LocalPod, status: PodStatus, resizes: Iterable[ResizeEvent]) -> None:
        """Record the events of what has happened since the last look."""
        state = local.node.runtime.state(local.uid)
        recorder = self._recorder(local.node)
        for resize in resizes:
            recorder.event(pod, resize.type, resize.reason, resize.message)
        for event in events_between(pod, local.reported, state):
            recorder.event(pod, event.type, event.reason, event.message, field_path=event.field_path)
        for event in back_off_events(pod, status):
            recorder.event(pod, event.type, event.reason, event.message, field_path=event.field_path)
        local.reported = state

    def _recorder(self, node: ServedNode) -> EventRecorder:
        recorder = self._recorders.get(node.name)
        if recorder is None:
            recorder = self._recorders[node.name] = self._events.recorder("kubelet", node.name)
        return recorder

    async def _delete(self, pod: Pod) -> None:
        """Remove the object of a pod that has ended on its node."""
        metadata = pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        await self._client.delete(Pod, metadata.name, metadata.namespace, options)


def _node_of(pod: Pod) -> tuple[str, ...]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()
