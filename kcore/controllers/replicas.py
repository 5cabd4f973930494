"""Keeps as many pods as wanted: what ReplicaSets and ReplicationControllers have in common.

The two kinds differ in how they say what they want and in the types of their status; `replicaset.py` and
`replicationcontroller.py` say how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import structlog

from kcore.api.apps_v1 import ReplicaSetCondition
from kcore.api.core_v1 import Pod, PodTemplateSpec, ReplicationControllerCondition
from kcore.api.errors import ApiError, because_namespace_goes
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.selectors import Selector
from kcore.api.timestamp import format_seconds
from kcore.client.informer import Informer, key_of
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, orphans_near, owned_by
from kcore.controllers.batches import slow_start
from kcore.controllers.context import Context
from kcore.controllers.expectations import Expectations
from kcore.controllers.freshness import Freshness
from kcore.controllers.podremoval import PodRemoval
from kcore.controllers.pods import available_in, is_active, is_terminating, rank_for_deletion

__all__ = ["Counts", "Failure", "ReplicaManager", "failure_conditions"]

S = TypeVar("S", bound=Object)
C = TypeVar("C", bound=ReplicaSetCondition | ReplicationControllerCondition)

FAILURE = "ReplicaFailure"

AT_ONCE = 500
"""The most pods that one `reconcile` creates or deletes."""

log = structlog.get_logger(__name__)


class Counts(NamedTuple):
    """What is there."""

    replicas: int
    fully_labeled: int
    ready: int
    available: int
    terminating: int


class Failure(NamedTuple):
    """Why the number of pods could not be changed; the condition `ReplicaFailure`."""

    reason: str
    message: str


def failure_conditions(standing: tuple[C, ...], failure: Failure | None, now: float, type_: type[C]) -> tuple[C, ...]:
    """`ReplicaFailure` while there is one, and what others put there. One that stands keeps its message."""
    if failure is None and not standing:
        return standing
    old = next((c for c in standing if c.type == FAILURE), None)
    if failure is not None and old is not None:
        return standing
    others = tuple(c for c in standing if c is not old)
    if failure is None:
        return others
    condition = type_(
        type=FAILURE,
        status="True",
        reason=failure.reason,
        message=failure.message,
        last_transition_time=format_seconds(now),
    )
    return (*others, condition)


class ReplicaManager(Controller, Generic[S]):
    """The controller of a kind `S` that has `spec.replicas` and a pod template."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        informers = context.informers
        self._client = context.client
        self._recorder = context.events.recorder(self.name)
        self._clock = context.clock
        self._kind = self._client.scheme.of(self.root)
        self._owners: Informer[S] = informers.of(self._kind)
        self._owners.add_index("namespace", lambda obj: (obj.metadata.namespace,))
        index_by_controller(self._owners)
        self._pods = informers.of(Pod)
        index_by_controller(self._pods)
        self._expectations = Expectations(self._clock)
        self._removal = PodRemoval(self._client, self._recorder, self._expectations)
        self._freshness = Freshness(self._owners)
        self._selectors: dict[str, tuple[S, Selector]] = {}

    # What differs between the kinds.

    def selector(self, owner: S) -> Selector:
        raise NotImplementedError

    def replicas(self, owner: S) -> int:
        raise NotImplementedError

    def template(self, owner: S) -> PodTemplateSpec:
        raise NotImplementedError

    def min_ready_seconds(self, owner: S) -> int:
        raise NotImplementedError

    def with_status(self, owner: S, counts: Counts, failure: Failure | None, now: float) -> S:
        """The owner with its status brought up to date; the very same object where nothing changes."""
        raise NotImplementedError

    # From changes to keys.

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pod_changed}

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        if new is None:
            assert old is not None
            yield from self._gone(old)
            return
        if old is not None and old.metadata.owner_references != new.metadata.owner_references:
            yield from self._managers(old)
        if new.metadata.deletion_timestamp is not None:
            yield from self._gone(new)
        elif (owner := controller_of(new.metadata)) is not None:
            if old is None and owner.kind == self._kind.name:
                self._expectations.creation_observed(owner.uid)
            yield from self._managers(new)
        elif old is None or old.metadata != new.metadata:
            yield from self._would_adopt(new)

    def _gone(self, pod: Pod) -> Iterator[str]:
        owner = controller_of(pod.metadata)
        if owner is not None:
            self._expectations.deletion_observed(owner.uid, pod.metadata.uid)
        yield from self._managers(pod)

    def _managers(self, pod: Pod) -> Iterator[str]:
        owner = controller_of(pod.metadata)
        if owner is not None and owner.kind == self._kind.name:
            yield f"{pod.metadata.namespace}/{owner.name}"

    def _would_adopt(self, pod: Pod) -> Iterator[str]:
        for owner in self._owners.by_index("namespace", pod.metadata.namespace):
            if self._selector(owner).matches(pod.metadata.labels):
                yield key_of(owner)

    def _selector(self, owner: S) -> Selector:
        """The selector of an owner, which is made once for each version of it."""
        key = key_of(owner)
        known = self._selectors.get(key)
        if known is None or known[0] is not owner:
            known = self._selectors[key] = owner, self.selector(owner)
        return known[1]

    # From what is to what should be.

    async def reconcile(self, key: str) -> Result | None:
        owner = self._owners.get(key)
        if owner is None:
            self._freshness.forget(key)
            self._selectors.pop(key, None)
            return None
        if not self._freshness.is_fresh(key):
            return None
        uid = owner.metadata.uid
        owned = owned_by(self._pods, owner)
        terminating = sum(map(is_terminating, owned))
        pods = await self._claim(owner, [*owned, *orphans_near(self._pods, owner)])
        error: ApiError | None = None
        failure: Failure | None = None
        if owner.metadata.deletion_timestamp is not None:
            self._expectations.forget(uid)
        elif self._expectations.satisfied(uid):
            failure, error = await self._manage(owner, pods)
        counts, soonest = self._count(owner, pods, terminating)
        await self._write_status(owner, counts, failure)
        if error is not None:
            raise error
        return Result(soonest) if soonest else None

    async def _claim(self, owner: S, nearby: list[Pod]) -> list[Pod]:
        """The active ones that are the owner's."""
        if not nearby:
            return nearby
        selector = self._selector(owner)
        claimant = Claimant(self._client, owner, lambda pod: selector.matches(pod.metadata.labels))
        return await claimant.claim(filter(is_active, nearby))

    def _count(self, owner: S, pods: Iterable[Pod], terminating: int) -> tuple[Counts, float]:
        """The counts of the status, and in how many seconds they will change by themselves (0: they will not)."""
        wanted = self.template(owner).metadata.labels.items()
        min_ready_seconds, now = self.min_ready_seconds(owner), self._clock.now()
        replicas = labeled = ready = available = 0
        soonest = 0.0
        for pod in pods:
            replicas += 1
            labeled += wanted <= pod.metadata.labels.items()
            wait = available_in(pod, min_ready_seconds, now)
            if wait is None:
                continue
            ready += 1
            if wait > 0:
                soonest = min(soonest or wait, wait)
            else:
                available += 1
        return Counts(replicas, labeled, ready, available, terminating), soonest

    async def _write_status(self, owner: S, counts: Counts, failure: Failure | None) -> None:
        updated = self.with_status(owner, counts, failure, self._clock.now())
        if updated is not owner:
            self._freshness.wrote(key_of(owner), await self._client.update(updated, subresource="status"))

    async def _manage(self, owner: S, pods: list[Pod]) -> tuple[Failure | None, ApiError | None]:
        """Create or delete pods until there are as many as wanted."""
        surplus = len(pods) - self.replicas(owner)
        if surplus < 0:
            error = await self._create(owner, min(-surplus, AT_ONCE))
            reason = "FailedCreate"
        elif surplus > 0:
            related = [pod for sibling in self._siblings(owner) for pod in self._active_of(sibling)]
            ranked = rank_for_deletion(pods, related, self._clock.now())
            error = await self._delete(owner, ranked[: min(surplus, AT_ONCE)])
            reason = "FailedDelete"
        else:
            return None, None
        return (Failure(reason, error.message), error) if error is not None else (None, None)

    def _siblings(self, owner: S) -> list[S]:
        """The owners (this one among them) that the same controller manages: the others of a Deployment."""
        manager = controller_of(owner.metadata)
        return self._owners.by_index("controller", manager.uid) if manager is not None else [owner]

    def _active_of(self, owner: S) -> Iterator[Pod]:
        return filter(is_active, owned_by(self._pods, owner))

    async def _create(self, owner: S, count: int) -> ApiError | None:
        uid = owner.metadata.uid
        pod = self._pod(owner)
        self._expectations.expect_creations(uid, count)
        done, error = await slow_start(count, lambda: self._create_one(owner, pod))
        if error is not None and because_namespace_goes(error):
            return None  # nor will any other succeed: what was expected keeps this owner quiet until it goes, too
        if done < count:
            self._expectations.creation_observed(uid, count - done)
        return error

    async def _create_one(self, owner: S, pod: Pod) -> None:
        try:
            created = await self._client.create(pod)
        except ApiError as error:
            if not because_namespace_goes(error):
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")

    def _pod(self, owner: S) -> Pod:
        template = self.template(owner)
        return Pod(
            metadata=ObjectMeta(
                generate_name=f"{owner.metadata.name}-",
                namespace=owner.metadata.namespace,
                labels=template.metadata.labels,
                annotations=template.metadata.annotations,
                finalizers=template.metadata.finalizers,
                owner_references=(controller_reference(owner, self._kind),),
            ),
            spec=template.spec,
        )

    async def _delete(self, owner: S, pods: list[Pod]) -> ApiError | None:
        self._expectations.expect_deletions(owner.metadata.uid, (pod.metadata.uid for pod in pods))
        return await self._removal.delete(owner, pods)
