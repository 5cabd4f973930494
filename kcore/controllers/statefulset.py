"""The StatefulSet controller: pods that have a name and claims of their own, and keep them when they are replaced.

A reconcile brings the pods one step nearer (`ordering.py` says which pods may come, go or be replaced) and writes the
status at its end, also when the step failed half way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from kcore.api.apps_v1 import ControllerRevision, StatefulSet
from kcore.api.core_v1 import Pod
from kcore.api.errors import AlreadyExists, ApiError, Conflict, NotFound, because_namespace_goes
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.api.selectors import Selector, selector_from_struct
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, owned_or_orphaned
from kcore.controllers.batches import slow_start
from kcore.controllers.context import Context
from kcore.controllers.freshness import Freshness
from kcore.controllers.history import History, template_of
from kcore.controllers.identity import (
    belongs,
    identified,
    new_pod,
    ordinals,
    revision_of,
    with_claims,
)
from kcore.controllers.ordering import Lineup, is_ordered, lineup, may_go, outdated, status_of, takes_current
from kcore.controllers.podclaims import PodClaims
from kcore.controllers.pods import is_finished

__all__ = ["StatefulSetController"]

HASH_LABEL = "controller.kubernetes.io/hash"


@dataclass(slots=True)
class _Round:
    """A StatefulSet under way."""

    pods: Lineup
    current: ControllerRevision
    update: ControllerRevision
    current_replicas: int

    @property
    def owner(self) -> StatefulSet:
        return self.pods.owner


class StatefulSetController(Controller):
    """Keeps pods 0 to n - 1."""

    name = "statefulset-controller"
    root = StatefulSet

    def __init__(self, context: Context) -> None:
        super().__init__()
        informers = context.informers
        self._client = context.client
        self._recorder = context.events.recorder(self.name)
        self._clock = context.clock
        self._kind = self._client.scheme.of(StatefulSet)
        self._sets = informers.of(StatefulSet)
        self._sets.add_index("namespace", lambda obj: (obj.metadata.namespace,))
        self._pods = informers.of(Pod)
        index_by_controller(self._pods)
        self._history = History(context, StatefulSet, HASH_LABEL)
        self._claims = PodClaims(context, self._recorder)
        self._freshness = Freshness(self._sets)

    # From changes to keys.

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pod_changed, **self._claims.maps(self._with_claims)}

    def reads(self) -> Iterable[type[Object]]:
        return (ControllerRevision,)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        for pod in (old, new):
            owner = controller_of(pod.metadata) if pod is not None else None
            if pod is not None and owner is not None and owner.kind == self._kind.name:
                yield f"{pod.metadata.namespace}/{owner.name}"
        if new is not None and controller_of(new.metadata) is None and (old is None or old.metadata != new.metadata):
            yield from self._would_adopt(new)

    def _would_adopt(self, pod: Pod) -> Iterator[str]:
        for owner in self._sets.by_index("namespace", pod.metadata.namespace):
            if belongs(pod, owner) and _selector(owner).matches(pod.metadata.labels):
                yield key_of(owner)

    def _with_claims(self, namespace: str) -> Iterator[StatefulSet]:
        return (owner for owner in self._sets.by_index("namespace", namespace) if owner.spec.volume_claim_templates)

    # From what is to what should be.

    async def reconcile(self, key: str) -> Result | None:
        owner = self._sets.get(key)
        if owner is None:
            self._freshness.forget(key)
            return None
        if not self._freshness.is_fresh(key):
            return None
        selector = _selector(owner)
        revisions = await self._history.of(owner, selector)
        claimant = Claimant(
            self._client,
            owner,
            lambda pod: belongs(pod, owner) and selector.matches(pod.metadata.labels),  # type: ignore[arg-type]
        )
        claimed = await claimant.claim(owned_or_orphaned(self._pods, owner))
        update, collisions = await self._history.latest(owner, revisions)
        current = next((r for r in revisions if r.metadata.name == owner.status.current_revision), update)
        pods = lineup(owner, claimed, self._clock.now())
        error: ApiError | None = None
        try:
            await self._step(pods, current, update)
        except ApiError as failed:
            error = failed
        status = status_of(pods, current.metadata.name, update.metadata.name, collisions)
        if status != owner.status:
            self._freshness.wrote(key, await self._client.update(replace(owner, status=status), subresource="status"))
        if error is not None:
            raise error
        live = {current.metadata.name, update.metadata.name, *map(revision_of, pods.pods)}
        await self._history.forget(owner, revisions, live)
        waits = [wait for pod in pods.pods if (wait := pods.wait(pod))]
        return Result(min(waits)) if waits else None

    async def _step(self, pods: Lineup, current: ControllerRevision, update: ControllerRevision) -> None:
        if pods.owner.metadata.deletion_timestamp is not None:
            return
        before = status_of(pods, current.metadata.name, update.metadata.name, 0)
        round_ = _Round(pods, current, update, before.current_replicas)
        if is_ordered(pods.owner):
            for ordinal in ordinals(pods.owner):
                if not await self._keep(round_, ordinal):
                    return
        else:
            await self._keep_all(round_)
        for pod in pods.condemned:
            await self._claims.retain(pods.owner, pod, condemned=True)
        going = may_go(pods)
        await self._delete_all(pods.owner, going)
        if not pods.condemned or not is_ordered(pods.owner):
            await self._delete_all(pods.owner, outdated(pods, update.metadata.name))

    # The pods that are to stay.

    async def _keep_all(self, round_: _Round) -> None:
        unsettled = [ordinal for ordinal in ordinals(round_.owner) if not self._is_settled(round_.pods, ordinal)]
        left = iter(unsettled)
        _, error = await slow_start(len(unsettled), lambda: self._keep(round_, next(left)))
        if error is not None:
            raise error

    def _is_settled(self, pods: Lineup, ordinal: int) -> bool:
        """Whether nothing has to be done for a pod itself."""
        pod = pods.staying.get(ordinal)
        if pod is None or is_finished(pod):
            return False
        return with_claims(identified(pod), pods.owner) is pod and self._claims.are_right(pods.owner, pod)

    async def _keep(self, round_: _Round, ordinal: int) -> bool:
        """Make or mend one pod; whether it is well, so that those after it may come."""
        pods, owner = round_.pods, round_.owner
        pod = pods.staying.get(ordinal)
        if pod is None:
            await self._create(round_, ordinal)
            return False
        if is_finished(pod):
            if pod.metadata.deletion_timestamp is None:
                await self._delete(owner, pod)
            return False
        if pod.status.phase == "Pending":
            await self._claims.ensure(owner, pod)
        if is_ordered(owner) and not pods.is_well(pod):
            return False
        await self._mend(owner, pod)
        return True

    async def _create(self, round_: _Round, ordinal: int) -> None:
        owner, revision = round_.owner, round_.update
        if takes_current(owner, ordinal, round_.current_replicas):
            revision = round_.current
        template = owner.spec.template if revision is round_.update else template_of(revision)
        reference = controller_reference(owner, self._kind)
        pod = new_pod(owner, template, revision.metadata.name, ordinal, reference)
        if self._claims.wait_to_go(owner, pod):
            return
        try:
            await self._claims.ensure(owner, pod)
            created = await self._client.create(pod)
        except AlreadyExists:
            raise  # the cache does not show it yet, or a stranger has the name
        except ApiError as error:
            if because_namespace_goes(error):
                return
            self._tell(owner, pod, "create", error)
            raise
        self._tell(owner, pod, "create")
        round_.pods.staying[ordinal] = created
        await self._claims.retain(owner, created, condemned=False)

    async def _mend(self, owner: StatefulSet, pod: Pod) -> None:
        """Give a pod back what makes it this set's: labels that say who it is, and its claims."""
        mended = with_claims(identified(pod), owner)
        if mended is not pod:
            await self._claims.ensure(owner, pod)
            try:
                await self._client.update(mended)
            except ApiError as error:
                if not isinstance(error, Conflict):
                    self._tell(owner, pod, "update", error)
                raise
            self._tell(owner, pod, "update")
        await self._claims.retain(owner, pod, condemned=False)

    # Those that go.

    async def _delete_all(self, owner: StatefulSet, pods: Sequence[Pod]) -> None:
        going = iter(pods)
        _, error = await slow_start(len(pods), lambda: self._delete(owner, next(going)))
        if error is not None:
            raise error

    async def _delete(self, owner: StatefulSet, pod: Pod) -> None:
        metadata = pod.metadata
        options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
        try:
            await self._client.delete(Pod, metadata.name, metadata.namespace, options)
        except NotFound:
            return
        except ApiError as error:
            self._tell(owner, pod, "delete", error)
            raise
        self._tell(owner, pod, "delete")

    def _tell(self, owner: StatefulSet, pod: Pod, verb: str, error: ApiError | None = None) -> None:
        what = f"{verb} Pod {pod.metadata.name} in StatefulSet {owner.metadata.name}"
        if error is None:
            self._recorder.event(owner, "Normal", f"Successful{verb.title()}", f"{what} successful")
        else:
            self._recorder.event(owner, "Warning", f"Failed{verb.title()}", f"{what} failed error: {error.message}")


def _selector(owner: StatefulSet) -> Selector:
    return selector_from_struct(owner.spec.selector)
