"""The Deployment controller: one ReplicaSet for each pod template, and rollouts from one to the next.

A reconcile looks at the Deployment and its ReplicaSets, takes one step of the rollout (`rollout.py` says which), and
writes the status once, at its end. The steps follow each other as the ReplicaSets report back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment, DeploymentStatus, ReplicaSet, ReplicaSetSpec
from kcore.api.core_v1 import Pod
from kcore.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.object import Object
from kcore.api.selectors import Selector, selector_from_struct
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, owned_or_orphaned
from kcore.controllers.context import Context
from kcore.controllers.freshness import Freshness
from kcore.controllers.pods import is_finished
from kcore.controllers.progress import (
    has_deadline,
    is_complete,
    progressing,
    rollout_status,
    seconds_to_deadline,
    set_condition,
    status_of,
    with_pause,
)
from kcore.controllers.revisions import REVISION, annotations_for, last_revision, replicas_annotations
from kcore.controllers.rollout import (
    Resize,
    by_age,
    expired,
    is_resized,
    is_rolling,
    max_surge,
    new_size,
    raise_new,
    replicas_of,
    resize_all,
    shrink_old,
    size_total,
    wanted,
)
from kcore.controllers.templates import HASH_LABEL, same_template, template_hash, with_labels

__all__ = ["DeploymentController"]


@dataclass(slots=True)
class _Rollout:
    """A Deployment under way. `deployment` collects what is to be written; `before` is what stands."""

    before: Deployment
    deployment: Deployment
    new: ReplicaSet | None
    old: list[ReplicaSet]

    @property
    def everything(self) -> list[ReplicaSet]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    def set_progressing(self, reason: str, message: str, now: float, status: str = "True") -> None:
        current = self.deployment.status
        conditions = set_condition(current.conditions, progressing(status, reason, message, now))
        self.deployment = replace(self.deployment, status=replace(current, conditions=conditions))

    def set_revision(self, revision: str) -> None:
        metadata = self.deployment.metadata
        if metadata.annotations.get(REVISION) != revision:
            annotations = {**metadata.annotations, REVISION: revision}
            self.deployment = replace(self.deployment, metadata=replace(metadata, annotations=annotations))

    def count_collision(self) -> None:
        status = self.deployment.status
        status = replace(status, collision_count=(status.collision_count or 0) + 1)
        self.deployment = replace(self.deployment, status=status)


class DeploymentController(Controller):
    """Moves pods from template to template without a gap."""

    name = "deployment-controller"
    root = Deployment

    def __init__(self, context: Context) -> None:
        super().__init__()
        informers = context.informers
        self._client = context.client
        self._recorder = context.events.recorder(self.name)
        self._clock = context.clock
        self._kind = self._client.scheme.of(Deployment)
        self._deployments = informers.of(Deployment)
        self._deployments.add_index("namespace", lambda obj: (obj.metadata.namespace,))
        self._replica_sets = informers.of(ReplicaSet)
        index_by_controller(self._replica_sets)
        self._pods = informers.of(Pod)
        index_by_controller(self._pods)
        self._freshness = Freshness(self._deployments)

    # From changes to keys.

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ReplicaSet: self._replica_set_changed, Pod: self._pod_changed}

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> Iterator[str]:
        if old is not None:
            yield from self._managers(old)
        if new is None or (old is not None and old.metadata.owner_references == new.metadata.owner_references):
            return
        yield from self._managers(new)
        if controller_of(new.metadata) is None:
            for deployment in self._deployments.by_index("namespace", new.metadata.namespace):
                if _selector(deployment).matches(new.metadata.labels):
                    yield key_of(deployment)

    def _managers(self, rs: ReplicaSet) -> Iterator[str]:
        owner = controller_of(rs.metadata)
        if owner is not None and owner.kind == self._kind.name:
            yield f"{rs.metadata.namespace}/{owner.name}"

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        """A rollout that recreates waits for the last old pod to go."""
        if new is not None or old is None:
            return
        owner = controller_of(old.metadata)
        if owner is None or owner.kind != "ReplicaSet":
            return
        rs = self._replica_sets.get_object(old.metadata.namespace, owner.name)
        for key in self._managers(rs) if rs is not None else ():
            deployment = self._deployments.get(key)
            if deployment is not None and not is_rolling(deployment):
                yield key

    # From what is to what should be.

    async def reconcile(self, key: str) -> Result | None:
        deployment = self._deployments.get(key)
        if deployment is None:
            self._freshness.forget(key)
            return None
        if not self._freshness.is_fresh(key):
            return None
        selector = _selector(deployment)
        if selector.empty:
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._recorder.event(deployment, "Warning", "SelectingAll", message)
            return None
        claimant = Claimant(self._client, deployment, lambda rs: selector.matches(rs.metadata.labels))
        replica_sets = await claimant.claim(owned_or_orphaned(self._replica_sets, deployment))
        rollout = self._begin(deployment, by_age(replica_sets))
        try:
            status = await self._step(rollout)
        except ApiError as error:
            if not isinstance(error, Conflict):
                # The next attempt starts from what this one has learnt (a collision, a reason for failing).
                await self._write(rollout, rollout.deployment.status)
            raise
        await self._write(rollout, status)
        return self._look_again(rollout.deployment, status)

    def _begin(self, deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> _Rollout:
        template = deployment.spec.template
        new = next((rs for rs in replica_sets if same_template(rs.spec.template, template)), None)
        old = [rs for rs in replica_sets if rs is not new]
        draft = deployment
        if deployment.metadata.deletion_timestamp is None:
            conditions = with_pause(deployment, self._clock.now())
            draft = replace(deployment, status=replace(deployment.status, conditions=conditions))
        return _Rollout(deployment, draft, new, old)

    async def _step(self, rollout: _Rollout) -> DeploymentStatus:
        """Do what is to be done next; the status that then holds."""
        deployment = rollout.deployment
        if deployment.metadata.deletion_timestamp is not None:
            return self._status(rollout)
        if deployment.spec.paused or is_resized(deployment, rollout.everything):
            await self._update_new(rollout)
            await self._resize(rollout, resize_all(deployment, rollout.new, rollout.old))
            if deployment.spec.paused:
                await self._clean_up(rollout)
            return self._status(rollout)
        if is_rolling(deployment):
            await self._roll(rollout)
        else:
            await self._recreate(rollout)
        before = rollout.before.status
        return rollout_status(rollout.deployment, before, rollout.new, rollout.everything, self._clock.now())

    def _status(self, rollout: _Rollout) -> DeploymentStatus:
        return status_of(rollout.deployment, rollout.new, rollout.everything, self._clock.now())

    async def _roll(self, rollout: _Rollout) -> None:
        new = await self._ensure_new(rollout)
        if await self._resize(rollout, raise_new(rollout.deployment, new, rollout.old)):
            return
        if await self._resize(rollout, shrink_old(rollout.deployment, new, rollout.old)):
            return
        if is_complete(rollout.deployment, rollout.deployment.status):
            await self._clean_up(rollout)

    async def _recreate(self, rollout: _Rollout) -> None:
        await self._update_new(rollout)
        if await self._resize(rollout, [Resize(rs, 0) for rs in rollout.old if replicas_of(rs)]):
            return
        if self._old_pods_run(rollout):
            return
        new = await self._ensure_new(rollout)
        await self._resize(rollout, [Resize(new, wanted(rollout.deployment))])
        if is_complete(rollout.deployment, rollout.deployment.status):
            await self._clean_up(rollout)

    def _old_pods_run(self, rollout: _Rollout) -> bool:
        if any(rs.status.replicas for rs in rollout.old):
            return True
        pods = (pod for rs in rollout.old for pod in self._pods.by_index("controller", rs.metadata.uid))
        return any(not is_finished(pod) for pod in pods)

    # The new ReplicaSet.

    async def _ensure_new(self, rollout: _Rollout) -> ReplicaSet:
        if rollout.new is not None:
            return await self._update_new(rollout) or rollout.new
        return await self._create_new(rollout)

    async def _update_new(self, rollout: _Rollout) -> ReplicaSet | None:
        """Give the new ReplicaSet, if there is one, the revision after all others and what else changed."""
        rs, deployment = rollout.new, rollout.deployment
        if rs is None:
            return None
        annotations = annotations_for(deployment, rs.metadata.annotations, last_revision(rollout.old) + 1)
        seconds = deployment.spec.min_ready_seconds
        if annotations != rs.metadata.annotations or seconds != rs.spec.min_ready_seconds:
            metadata = replace(rs.metadata, annotations=annotations)
            changed = replace(rs, metadata=metadata, spec=replace(rs.spec, min_ready_seconds=seconds))
            rs = rollout.new = await self._client.update(changed)
        rollout.set_revision(rs.metadata.annotations.get(REVISION, ""))
        known = any(c.type == "Progressing" for c in deployment.status.conditions)
        if not known and has_deadline(deployment):
            message = f'Found new replica set "{rs.metadata.name}"'
            rollout.set_progressing("FoundNewReplicaSet", message, self._clock.now())
        return rs

    async def _create_new(self, rollout: _Rollout) -> ReplicaSet:
        rs = self._make(rollout)
        deployment = rollout.deployment
        try:
            rs = await self._client.create(rs)
        except AlreadyExists:
            rollout.new = rs = await self._existing(rollout, rs)
            rollout.set_revision(rs.metadata.annotations.get(REVISION, ""))
            return rs
        except ApiError as error:
            self._tell_failure(rollout, rs, error)
            raise
        rollout.new = rs
        if replicas_of(rs) > 0:
            message = f"Scaled up replica set {rs.metadata.name} from 0 to {replicas_of(rs)}"
            self._recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
        rollout.set_revision(rs.metadata.annotations[REVISION])
        if has_deadline(deployment):
            message = f'Created new replica set "{rs.metadata.name}"'
            rollout.set_progressing("NewReplicaSetCreated", message, self._clock.now())
        return rs

    def _make(self, rollout: _Rollout) -> ReplicaSet:
        deployment = rollout.deployment
        spec, metadata = deployment.spec, deployment.metadata
        hash_ = template_hash(spec.template, deployment.status.collision_count)
        template = with_labels(spec.template, {HASH_LABEL: hash_})
        selector = spec.selector or LabelSelector()
        annotations = annotations_for(deployment, {}, last_revision(rollout.old) + 1)
        annotations |= replicas_annotations(wanted(deployment), wanted(deployment) + max_surge(deployment))
        return ReplicaSet(
            metadata=ObjectMeta(
                name=f"{metadata.name}-{hash_}",
                namespace=metadata.namespace,
                labels=template.metadata.labels,
                annotations=annotations,
                owner_references=(controller_reference(deployment, self._kind),),
            ),
            spec=ReplicaSetSpec(
                replicas=new_size(deployment, 0, size_total(rollout.old)),
                min_ready_seconds=spec.min_ready_seconds,
                selector=replace(selector, match_labels={**selector.match_labels, HASH_LABEL: hash_}),
                template=template,
            ),
        )

    async def _existing(self, rollout: _Rollout, rs: ReplicaSet) -> ReplicaSet:
        """The ReplicaSet that has the name already: this Deployment's, not yet in the cache; or a stranger's, and then
        the hash has to be another one."""
        found = await self._client.get(ReplicaSet, rs.metadata.name, rs.metadata.namespace)
        owner = controller_of(found.metadata)
        mine = owner is not None and owner.uid == rollout.deployment.metadata.uid
        if mine and same_template(found.spec.template, rollout.deployment.spec.template):
            return found
        rollout.count_collision()
        raise AlreadyExists.of(self._client.scheme.of(ReplicaSet), rs.metadata.name)

    def _tell_failure(self, rollout: _Rollout, rs: ReplicaSet, error: ApiError) -> None:
        message = f'Failed to create new replica set "{rs.metadata.name}": {error.message}'
        if has_deadline(rollout.deployment):
            rollout.set_progressing("ReplicaSetCreateError", message, self._clock.now(), status="False")
        self._recorder.event(rollout.deployment, "Warning", "ReplicaSetCreateError", message)

    # Writing.

    async def _resize(self, rollout: _Rollout, resizes: Sequence[Resize]) -> bool:
        """Give the ReplicaSets their sizes; whether any size changed."""
        changed = False
        for resize in resizes:
            changed |= await self._resize_one(rollout, resize)
        return changed

    async def _resize_one(self, rollout: _Rollout, resize: Resize) -> bool:
        rs, deployment = resize.replica_set, rollout.deployment
        before, total = replicas_of(rs), wanted(deployment)
        remembered = replicas_annotations(total, total + max_surge(deployment))
        if resize.replicas == before and remembered.items() <= rs.metadata.annotations.items():
            return False
        metadata = replace(rs.metadata, annotations={**rs.metadata.annotations, **remembered})
        written = await self._client.update(
            replace(rs, metadata=metadata, spec=replace(rs.spec, replicas=resize.replicas))
        )
        _swap(rollout, rs, written)
        if resize.replicas == before:
            return False
        direction = "up" if resize.replicas > before else "down"
        message = f"Scaled {direction} replica set {rs.metadata.name} from {before} to {resize.replicas}"
        self._recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
        return True

    async def _clean_up(self, rollout: _Rollout) -> None:
        """Delete ReplicaSets that no undo needs any more."""
        for rs in expired(rollout.deployment, rollout.old):
            try:
                await self._client.delete(ReplicaSet, rs.metadata.name, rs.metadata.namespace)
            except NotFound:
                continue

    async def _write(self, rollout: _Rollout, status: DeploymentStatus) -> None:
        before, draft = rollout.before, rollout.deployment
        if status == before.status and draft.metadata.annotations == before.metadata.annotations:
            return
        rollout.deployment = await self._client.update(replace(draft, status=status), subresource="status")
        self._freshness.wrote(key_of(draft), rollout.deployment)

    def _look_again(self, deployment: Deployment, status: DeploymentStatus) -> Result | None:
        after = seconds_to_deadline(deployment, status, self._clock.now())
        return Result(after) if after is not None else None


def _selector(deployment: Deployment) -> Selector:
    return selector_from_struct(deployment.spec.selector)


def _swap(rollout: _Rollout, before: ReplicaSet, after: ReplicaSet) -> None:
    """Put what was written in the place of what it was made from."""
    if rollout.new is before:
        rollout.new = after
    else:
        rollout.old = [after if rs is before else rs for rs in rollout.old]
