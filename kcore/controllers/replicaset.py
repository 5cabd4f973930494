"""The ReplicaSet controller."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from kcore.api.core_v1 import PodTemplateSpec
from kcore.api.selectors import Selector, selector_from_struct
from kcore.controllers.replicas import Counts, Failure, ReplicaManager, failure_conditions

__all__ = ["ReplicaSetController"]


class ReplicaSetController(ReplicaManager[ReplicaSet]):
    """Keeps `spec.replicas` pods that `spec.selector` matches."""

    name = "replicaset-controller"
    root = ReplicaSet

    def selector(self, owner: ReplicaSet) -> Selector:
        return selector_from_struct(owner.spec.selector)

    def replicas(self, owner: ReplicaSet) -> int:
        return 1 if owner.spec.replicas is None else owner.spec.replicas

    def template(self, owner: ReplicaSet) -> PodTemplateSpec:
        return owner.spec.template

    def min_ready_seconds(self, owner: ReplicaSet) -> int:
        return owner.spec.min_ready_seconds

    def with_status(self, owner: ReplicaSet, counts: Counts, failure: Failure | None, now: float) -> ReplicaSet:
        status = ReplicaSetStatus(
            replicas=counts.replicas,
            fully_labeled_replicas=counts.fully_labeled,
            ready_replicas=counts.ready,
            available_replicas=counts.available,
            terminating_replicas=counts.terminating,
            observed_generation=owner.metadata.generation,
            conditions=failure_conditions(owner.status.conditions, failure, now, ReplicaSetCondition),
        )
        return owner if status == owner.status else replace(owner, status=status)
