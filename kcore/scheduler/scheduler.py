"""The scheduler as a service: informers fill cache and queue, one loop decides, workers bind and report.

Deciding is synchronous and done in short bursts; all that talks to the API is done by workers side by side, so that
bindings share the store's commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from kcore.api.core_v1 import Pod, PodCondition
from kcore.api.errors import ApiError, Conflict, NotFound
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client, PatchType
from kcore.client.events import EventBroadcaster, EventRecorder
from kcore.client.informer import Informers
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Chance, Clock, ticks
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.config.plan import DEFAULT_PLAN, Plan, make_profile
from kcore.scheduler.cycle import NOTHING_DONE, Placed, Refused, SchedulingCycle
from kcore.scheduler.explanation import SchedulingExplainer
from kcore.scheduler.extender import Extender, ExtenderError, open_extenders
from kcore.scheduler.framework import ClusterEvent, Status
from kcore.scheduler.metrics import SchedulerMetrics
from kcore.scheduler.observer import ClusterObserver
from kcore.scheduler.plugins import Handle
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.queue import QueuedPod, SchedulingQueue
from kcore.scheduler.volumes import Volumes
from kcore.scheduler.waiting import WaitingPod, WaitingPods

__all__ = ["Scheduler"]

BURST = 16
"""Decisions taken before others on the loop have their turn,"""
ROWS_AT_ONCE = 10_000
"""and nodes looked at for them, as far as that was not done before."""
WORKERS = 32
UNCERTAIN = 500
"""From this code on an answer does not say whether something was done."""
LOOKS, LOOK_SECONDS = 10, 1.0
"""How often it is looked up then, and how long to wait between."""
PATIENCE, MOST_LOOKED_UP = 30.0, 500
"""For so many seconds a binding is believed that the informer does not show; then it is looked up, with so many others.
Where there are more, the informer is late, and will tell."""

log = structlog.get_logger(__name__)


class Attempt(NamedTuple):
    """A decision that is to be carried out."""

    queued: QueuedPod
    outcome: Placed | Refused


class Scheduler:
    """Gives every pod of its profiles a node."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        events: EventBroadcaster,
        clock: Clock,
        chance: Chance,
        plan: Plan = DEFAULT_PLAN,
    ) -> None:
        self._client = client
        self._clock = clock
        self.cache = SchedulerCache()
        self.waiting = WaitingPods()
        volumes = Volumes(informers)
        self._profiles: dict[str, Profile] = {}
        self._recorders: dict[str, EventRecorder] = {}
        self._plan = plan
        self._extenders: Sequence[Extender] = ()
        for told in plan.profiles:
            recorder = self._recorders[told.scheduler_name] = events.recorder(told.scheduler_name)
            handle = Handle(client, self.cache, clock, chance, informers, recorder, self.waiting, volumes)
            self._profiles[told.scheduler_name] = make_profile(told, handle)
        first = next(iter(self._profiles.values()))
        hints = {name: events for profile in self._profiles.values() for name, events in profile.events.items()}
        self.queue = SchedulingQueue(
            lambda pod: self._profiles[pod.spec.scheduler_name].may_enqueue(pod),
            first.sort_key,
            hints,
            plan.backoff,
            lambda plugin, info: self._profiles[info.pod.spec.scheduler_name].alike(plugin, info),
        )
        self._cycle = SchedulingCycle(self.cache, chance, ticks)
        self.metrics = SchedulerMetrics(self.cache, self.queue)
        for profile in self._profiles.values():
            profile.observe = self.metrics.ran
            profile.times.tell = self.metrics.executed
        self.explainer = SchedulingExplainer(self.cache, self.queue, self._profiles, informers.of(Pod))
        self._attempts: dict[str, Attempt] = {}
        self._work: WorkQueue[str] = WorkQueue()
        self._wake = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._observer = ClusterObserver(
            informers, self.cache, self.queue, self.waiting, clock, self._profiles, lambda: self._wake.set()
        )

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Schedule until cancelled. Started once cache and queue know the whole cluster."""
        await self._observer.start()
        async with open_extenders(self._plan.extenders) as self._extenders, anyio.create_task_group() as tasks:
            self._tasks = tasks
            for number in range(WORKERS):
                tasks.start_soon(self._carry_out, name=f"binder {number}")
            tasks.start_soon(self._look_after, name="overdue bindings")
            task_status.started()
            await self._decide()

    async def _decide(self) -> None:
        """Take decisions as long as there are pods, then sleep until something happens."""
        while True:
            enough = self._cycle.looked_at + ROWS_AT_ONCE
            for _ in range(BURST):
                queued = self.queue.pop(self._clock.now())
                if queued is None:
                    await self._wait()
                    break
                extenders = [extender for extender in self._extenders if extender.is_interested(queued.info)]
                if extenders:
                    await self._schedule_with(queued, extenders)
                else:
                    await self._schedule(queued)
                if self._cycle.looked_at >= enough:
                    await asyncio.sleep(0)
                    break
            else:
                await asyncio.sleep(0)

    async def _wait(self) -> None:
        self._wake = anyio.Event()
        deadline = self.queue.next_deadline()
        seconds = None if deadline is None else max(0.0, deadline - self._clock.now())
        with anyio.move_on_after(seconds):
            await self._wake.wait()

    async def _schedule(self, queued: QueuedPod) -> None:
        info = queued.info
        profile, began = self._profiles[info.pod.spec.scheduler_name], ticks()
        try:
            while (outcome := self._cycle.schedule(profile, info)) is None:
                await asyncio.sleep(0)
                if info.uid not in self.queue:
                    return
        except Exception:  # a plugin's fault concerns one pod, not all
            self._failed(queued, began)
            return
        self._go_on(queued, outcome, began)

    async def _schedule_with(self, queued: QueuedPod, extenders: Sequence[Extender]) -> None:
        info = queued.info
        profile, began = self._profiles[info.pod.spec.scheduler_name], ticks()
        try:
            outcome = await self._cycle.schedule_with(profile, info, extenders)
        except Exception:
            self._failed(queued, began)
            return
        self._go_on(queued, outcome, began)

    def _failed(self, queued: QueuedPod, began: float) -> None:
        log.exception("scheduling failed", pod=queued.info.key)
        self.metrics.attempted("error", queued.info.pod.spec.scheduler_name, ticks() - began)
        self.queue.failed(queued, self._clock.now())

    def _go_on(self, queued: QueuedPod, outcome: Placed | Refused, began: float) -> None:
        """After the decision."""
        queued.seconds = seconds = ticks() - began
        self.metrics.decided(seconds)
        if isinstance(outcome, Refused):
            result = "error" if outcome.is_error else "unschedulable"
            self.metrics.attempted(result, queued.info.pod.spec.scheduler_name, seconds)
            if outcome.post_filter is not NOTHING_DONE:
                self.metrics.preempted(outcome.post_filter.victims)
            self._send_back(queued, outcome)
        elif outcome.permit is not None:
            self._hold(queued, outcome, outcome.permit)
        else:
            self._hand_over(queued, outcome)

    def _hand_over(self, queued: QueuedPod, outcome: Placed | Refused) -> None:
        """Have a decision carried out by the next free worker; what may take its time gets a task of its own."""
        uid = queued.info.uid
        if isinstance(outcome, Placed) and self._tasks is not None:
            profile = self._profiles[queued.info.pod.spec.scheduler_name]
            if profile.needs_pre_bind(outcome.state, queued.info, outcome.node_name):
                self._tasks.start_soon(self._bind, queued, outcome, name=f"bind {queued.info.key}")
                return
        self._attempts[uid] = Attempt(queued, outcome)
        self._work.add(uid)

    def _send_back(self, queued: QueuedPod, refused: Refused) -> None:
        now = self._clock.now()
        if refused.is_error:
            self.queue.failed(queued, now)
        else:
            self.queue.refused(queued, refused.plugins, now)
        self._hand_over(queued, refused)

    def _hold(self, queued: QueuedPod, placed: Placed, permit: Status) -> None:
        """Bind later, if Permit plugins allow it in time."""

        began = ticks()

        def allowed() -> None:
            self.metrics.waited("allowed", ticks() - began)
            self._hand_over(queued, placed)

        def rejected(reason: str) -> None:
            self.metrics.waited("rejected", ticks() - began)
            self._give_up(queued, placed)
            if queued.info.uid in self.queue:
                self._send_back(queued, Refused(reason, frozenset((permit.plugin,))))

        self.waiting.hold(
            WaitingPod(queued.info, placed.node_name, permit.plugin),
            placed.permit_seconds,
            allowed,
            rejected,
        )

    async def _carry_out(self) -> None:
        while True:
            uid = await self._work.get()
            attempt = self._attempts.pop(uid, None)
            try:
                if attempt is not None:
                    outcome = attempt.outcome
                    if isinstance(outcome, Placed):
                        await self._bind(attempt.queued, outcome)
                    else:
                        await self._report(attempt.queued, outcome)
            except Exception:
                log.exception("scheduling failed", pod=uid)
            finally:
                self._work.done(uid)

    async def _bind(self, queued: QueuedPod, placed: Placed) -> None:
        info = queued.info
        profile = self._profiles[info.pod.spec.scheduler_name]
        try:
            binder = self._binder(info)
            status = await profile.run_bind(placed.state, info, placed.node_name, binder, placed.is_measured)
        except ExtenderError as error:
            self._unbind(queued, placed)
            self._tell_failure(queued, f"binding rejected: {error}")
            return
        except ApiError as error:
            if error.code >= UNCERTAIN and await self._is_bound(info, placed.node_name):
                log.debug("the answer to a binding was lost", pod=info.key)
                self._celebrate(queued, placed)
                return
            self._unbind(queued, placed)
            if isinstance(error, (NotFound, Conflict)):
                # The pod is gone, or somebody else has bound it: the informer will say.
                log.debug("pod not bound", pod=info.key, why=error.message)
            else:
                log.warning("pod not bound", pod=info.key, node=placed.node_name, why=error.message)
                self._tell_failure(queued, f'binding rejected: running Bind plugin "DefaultBinder": {error.message}')
            return
        if status is not None:
            self._unbind(queued, placed)
            self._tell_failure(queued, ", ".join(status.reasons))
            return
        self._celebrate(queued, placed)

    async def _is_bound(self, info: PodInfo, node_name: str) -> bool:
        """Whether a binding that seems to have failed was made. The pod stays assumed meanwhile: its room is not given
        away on the word of a server in trouble."""
        metadata = info.pod.metadata
        for _ in range(LOOKS):
            try:
                pod = await self._client.get(Pod, metadata.name, metadata.namespace)
                return pod.metadata.uid == info.uid and pod.spec.node_name == node_name
            except NotFound:
                return False
            except ApiError:
                await anyio.sleep(LOOK_SECONDS)
        return False

    async def _look_after(self) -> None:
        """Look up bindings that were made and are not seen: room is kept neither for ever nor given away on a guess."""
        while True:
            await anyio.sleep(PATIENCE)
            overdue = self.cache.overdue(self._clock.now() - PATIENCE)
            if overdue:
                log.warning("bindings not seen", pods=len(overdue), first=overdue[0].key)
            for pod in overdue[:MOST_LOOKED_UP]:
                if self.cache.is_assumed(pod.uid):
                    await self._look_up(pod)
                    await asyncio.sleep(0)

    async def _look_up(self, info: PodInfo) -> None:
        metadata, found = info.pod.metadata, None
        try:
            found = await self._client.get(Pod, metadata.name, metadata.namespace)
        except NotFound:
            pass
        except ApiError:
            return  # next time
        if not self.cache.is_assumed(info.uid):
            return  # it was seen in the meantime
        if found is None or found.metadata.uid != info.uid:
            self._observer.pod_changed(info.pod, None)
        elif found.spec.node_name:
            self._observer.pod_changed(None, found)
        else:
            self.cache.forget(info.uid)
            self.queue.move(ClusterEvent.POD_DELETED, info.pod, None, self._clock.now())
            if info.uid in self.queue:
                self.queue.failed(self.queue[info.uid], self._clock.now())
            self._wake.set()

    def _celebrate(self, queued: QueuedPod, placed: Placed) -> None:
        """Tell that a pod has its node."""
        info, profile = queued.info, self._profiles[queued.info.pod.spec.scheduler_name]
        self.cache.bound(info.uid, self._clock.now())
        self.metrics.attempted("scheduled", profile.scheduler_name, queued.seconds)
        self.metrics.bound(queued.attempts, self._clock.now() - queued.since)
        message = f"Successfully assigned {info.key} to {placed.node_name}"
        self._recorders[profile.scheduler_name].event(info.pod, "Normal", "Scheduled", message)

    def _binder(self, info: PodInfo) -> Extender | None:
        """The extender that binds in place of plugins."""
        return next((one for one in self._extenders if one.binds and one.is_interested(info)), None)

    def _unbind(self, queued: QueuedPod, placed: Placed) -> None:
        """A bind has failed: take the assumption back, and try again later."""
        self._give_up(queued, placed)
        self.queue.failed(queued, self._clock.now())

    def _give_up(self, queued: QueuedPod, placed: Placed) -> None:
        """Free what a placed pod has taken; others may need it."""
        profile = self._profiles[queued.info.pod.spec.scheduler_name]
        profile.run_unreserve(placed.state, queued.info, placed.node_name)
        self.cache.forget(queued.info.uid)
        self.queue.move(ClusterEvent.POD_DELETED, queued.info.pod, None, self._clock.now())
        self._wake.set()

    async def _report(self, queued: QueuedPod, refused: Refused) -> None:
        """Say in the pod's status and in an event why it has no node."""
        if refused.post_filter.carry_out is not None:
            await refused.post_filter.carry_out(self._client)
        self._tell_failure(queued, refused.message)
        pod, nominated = queued.info.pod, refused.post_filter.nominated_node
        condition = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        known = condition is not None and (condition.reason, condition.message) == ("Unschedulable", refused.message)
        if known and nominated == pod.status.nominated_node_name:
            return
        status: dict[str, Any] = {"conditions": [self._condition(pod, condition, refused.message)]}
        if nominated != pod.status.nominated_node_name:
            status["nominatedNodeName"] = nominated or None
        patch = {"status": status}
        try:
            await self._client.patch(
                Pod,
                pod.metadata.name,
                patch,
                pod.metadata.namespace,
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
        except ApiError as error:
            log.debug("condition not written", pod=queued.info.key, why=error.message)

    def _condition(self, pod: Pod, old: PodCondition | None, message: str) -> dict[str, str | int | None]:
        stamp = format_seconds(self._clock.now())
        since = old.last_transition_time if old is not None and old.status == "False" else stamp
        return {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "observedGeneration": pod.metadata.generation,
            "lastProbeTime": None,
            "lastTransitionTime": since,
        }

    def _tell_failure(self, queued: QueuedPod, message: str) -> None:
        recorder = self._recorders[queued.info.pod.spec.scheduler_name]
        recorder.event(queued.info.pod, "Warning", "FailedScheduling", message)
