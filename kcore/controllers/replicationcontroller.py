"""The ReplicationController controller: a ReplicaSet's forerunner, with an equality selector."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import (
    PodTemplateSpec,
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from kcore.api.selectors import NOTHING, Selector, selector_from_labels
from kcore.controllers.replicas import Counts, Failure, ReplicaManager, failure_conditions

__all__ = ["ReplicationControllerController"]


class ReplicationControllerController(ReplicaManager[ReplicationController]):
    """Keeps `spec.replicas` pods with the labels in `spec.selector`."""

    name = "replication-controller"
    root = ReplicationController

    def selector(self, owner: ReplicationController) -> Selector:
        return selector_from_labels(owner.spec.selector) if owner.spec.selector else NOTHING

    def replicas(self, owner: ReplicationController) -> int:
        return 1 if owner.spec.replicas is None else owner.spec.replicas

    def template(self, owner: ReplicationController) -> PodTemplateSpec:
        return owner.spec.template or PodTemplateSpec()

    def min_ready_seconds(self, owner: ReplicationController) -> int:
        return owner.spec.min_ready_seconds

    def with_status(
        self, owner: ReplicationController, counts: Counts, failure: Failure | None, now: float
    ) -> ReplicationController:
        status = ReplicationControllerStatus(
            replicas=counts.replicas,
            fully_labeled_replicas=counts.fully_labeled,
            ready_replicas=counts.ready,
            available_replicas=counts.available,
            observed_generation=owner.metadata.generation,
            conditions=failure_conditions(owner.status.conditions, failure, now, ReplicationControllerCondition),
        )
        return owner if status == owner.status else replace(owner, status=status)
