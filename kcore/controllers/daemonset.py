"""The DaemonSet controller: one pod on each node that should have one.

A reconcile first brings the number of pods right on each node, then takes a step of the rollout; both wait until the
cache shows what was done before (`daemonrollout.py` and `placement.py` say what is to be done).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.apps_v1 import ControllerRevision, DaemonSet
from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError, because_namespace_goes
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.selectors import Selector, selector_from_struct
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, owned_or_orphaned
from kcore.controllers.batches import slow_start
from kcore.controllers.context import Context
from kcore.controllers.daemonrollout import (
    TEMPLATE_GENERATION,
    Changes,
    Daemons,
    daemons,
    missing_and_surplus,
    rollout,
    status_of,
)
from kcore.controllers.expectations import Expectations
from kcore.controllers.freshness import Freshness
from kcore.controllers.history import REVISION_LABEL, History
from kcore.controllers.placement import Placement, pinned, target_of, tolerant
from kcore.controllers.podremoval import PodRemoval
from kcore.controllers.recreation import Recreation

__all__ = ["DaemonSetController"]

AT_ONCE = 250
"""The most pods that one step creates, or deletes."""

GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"


class DaemonSetController(Controller):
    """Puts a pod on every node that fits."""

    name = "daemonset-controller"
    root = DaemonSet
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__()
        informers = context.informers
        self._client = context.client
        self._recorder = context.events.recorder(self.name)
        self._clock = context.clock
        self._kind = self._client.scheme.of(DaemonSet)
        self._sets = informers.of(DaemonSet)
        self._sets.add_index("namespace", lambda obj: (obj.metadata.namespace,))
        self._nodes = informers.of(Node)
        self._pods = informers.of(Pod)
        index_by_controller(self._pods)
        self._history = History(context, DaemonSet, REVISION_LABEL)
        self._expectations = Expectations(self._clock)
        self._removal = PodRemoval(self._client, self._recorder, self._expectations)
        self._freshness = Freshness(self._sets)
        self._recreation = Recreation(self._clock)

    # From changes to keys.

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pod_changed, Node: self._node_changed}

    def reads(self) -> Iterable[type[Object]]:
        return (ControllerRevision,)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        pod = new if new is not None else old
        assert pod is not None
        owner = controller_of(pod.metadata)
        if owner is not None and owner.kind == self._kind.name:
            if new is None or new.metadata.deletion_timestamp is not None:
                self._expectations.deletion_observed(owner.uid, pod.metadata.uid)
            elif old is None:
                self._expectations.creation_observed(owner.uid)
            yield f"{pod.metadata.namespace}/{owner.name}"
        elif new is not None and owner is None and (old is None or old.metadata != new.metadata):
            for daemon_set in self._sets.by_index("namespace", new.metadata.namespace):
                if _selector(daemon_set).matches(new.metadata.labels):
                    yield key_of(daemon_set)
        if old is not None and new is not None and old.metadata.owner_references != new.metadata.owner_references:
            before = controller_of(old.metadata)
            if before is not None and before.kind == self._kind.name:
                yield f"{old.metadata.namespace}/{before.name}"

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        if old is not None and new is not None and _offers(old) == _offers(new):
            return
        for daemon_set in self._sets.values():
            placement = Placement(daemon_set)
            before = (placement.runs_on(old), placement.stays_on(old)) if old is not None else (False, False)
            after = (placement.runs_on(new), placement.stays_on(new)) if new is not None else (False, False)
            if before != after or (new is None and before[1]):
                yield key_of(daemon_set)

    # From what is to what should be.

    async def reconcile(self, key: str) -> Result | None:
        owner = self._sets.get(key)
        if owner is None:
            self._freshness.forget(key)
            return None
        if not self._freshness.is_fresh(key):
            return None
        uid, selector = owner.metadata.uid, _selector(owner)
        if selector.empty:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.event(owner, "Warning", "SelectingAll", message)
            return None
        if owner.metadata.deletion_timestamp is not None:
            self._expectations.forget(uid)
            self._recreation.forget(uid)
            return None
        revisions = await self._history.of(owner, selector)
        revision, collisions = await self._history.latest(owner, revisions)
        look = await self._look(owner, selector, self._history.hash_of(revision))
        error, again = None, 0.0
        settled = self._expectations.satisfied(uid)
        if settled:
            changes = missing_and_surplus(look)
            again = self._tell_of_finished(look, changes)
            error = await self._apply(look, changes)
            if error is None and self._expectations.satisfied(uid):
                look = await self._look(owner, selector, look.hash)
                error = await self._apply(look, rollout(look))
        status = status_of(look, collisions or owner.status.collision_count)
        if not settled:
            status = replace(status, observed_generation=owner.status.observed_generation)
        if status != owner.status:
            self._freshness.wrote(key, await self._client.update(replace(owner, status=status), subresource="status"))
        if error is not None:
            raise error
        live = {pod.metadata.labels.get(REVISION_LABEL) for pods in look.pods.values() for pod in pods}
        in_use = {r.metadata.name for r in revisions if self._history.hash_of(r) in live}
        await self._history.forget(owner, revisions, in_use | {revision.metadata.name})
        waits = [wait for pods in look.pods.values() for pod in pods if (wait := look.wait(pod))]
        return Result(min(waits + [again] * (again > 0))) if waits or again else None

    async def _look(self, owner: DaemonSet, selector: Selector, hash_: str) -> Daemons:
        claimant = Claimant(self._client, owner, lambda pod: selector.matches(pod.metadata.labels))
        pods = await claimant.claim(owned_or_orphaned(self._pods, owner))
        generation = owner.metadata.annotations.get(GENERATION_ANNOTATION, "")
        return daemons(owner, hash_, generation, self._clock.now(), pods, self._nodes.values())

    def _tell_of_finished(self, look: Daemons, changes: Changes) -> float:
        """Have finished pods go, those that fail again and again less and less often. In how many seconds the first
        of those that have to wait may go (0: there are none)."""
        again = 0.0
        for pod in changes.finished:
            node, name = target_of(pod), f"{pod.metadata.namespace}/{pod.metadata.name}"
            if pod.status.phase == "Succeeded":
                message = f"Found succeeded daemon pod {name} on node {node}, will try to delete it"
                self._recorder.event(look.owner, "Normal", "SucceededDaemonPod", message)
            elif wait := self._recreation.wait(look.owner.metadata.uid, node, look.owner.status.observed_generation):
                again = min(again or wait, wait)
                continue
            else:
                message = f"Found failed daemon pod {name} on node {node}, will try to kill it"
                self._recorder.event(look.owner, "Warning", "FailedDaemonPod", message)
            changes.delete.append(pod)
        return again

    async def _apply(self, look: Daemons, changes: Changes) -> ApiError | None:
        """Do what was decided, or the first part of it, and expect to see it."""
        nodes, pods = changes.create[:AT_ONCE], changes.delete[:AT_ONCE]
        if not nodes and not pods:
            return None
        uid = look.owner.metadata.uid
        self._expectations.expect(uid, len(nodes), [pod.metadata.uid for pod in pods])
        error = await self._create(look, nodes)
        return await self._removal.delete(look.owner, pods) or error

    async def _create(self, look: Daemons, nodes: Sequence[str]) -> ApiError | None:
        pod, left, uid = self._pod(look), iter(nodes), look.owner.metadata.uid
        done, error = await slow_start(len(nodes), lambda: self._create_one(look.owner, pinned(pod, next(left))))
        if error is not None and because_namespace_goes(error):
            return None  # nor will any other succeed: what was expected keeps this one quiet until it goes, too
        if done < len(nodes):
            self._expectations.creation_observed(uid, len(nodes) - done)
        return error

    async def _create_one(self, owner: DaemonSet, pod: Pod) -> None:
        try:
            created = await self._client.create(pod)
        except ApiError as error:
            if not because_namespace_goes(error):
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")

    def _pod(self, look: Daemons) -> Pod:
        """A new pod, not made for any node yet."""
        owner, template = look.owner, look.owner.spec.template
        labels = {**template.metadata.labels, REVISION_LABEL: look.hash}
        if look.generation:
            labels[TEMPLATE_GENERATION] = look.generation
        return Pod(
            metadata=ObjectMeta(
                generate_name=f"{owner.metadata.name}-",
                namespace=owner.metadata.namespace,
                labels=labels,
                annotations=template.metadata.annotations,
                finalizers=template.metadata.finalizers,
                owner_references=(controller_reference(owner, self._kind),),
            ),
            spec=tolerant(template.spec),
        )


def _selector(owner: DaemonSet) -> Selector:
    return selector_from_struct(owner.spec.selector)


def _offers(node: Node) -> object:
    """What of a node says who may run on it."""
    return node.metadata.labels, node.spec.taints
