"""Defaults of the apps group, and of ReplicationController, which is older than it."""

from __future__ import annotations

from kcore.api.apps_v1 import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
)
from kcore.api.core_v1 import PersistentVolumeClaim, ReplicationController
from kcore.api.schema import fill
from kcore.registry.defaults.pods import default_pod_template_spec

__all__ = [
    "default_daemon_set",
    "default_deployment",
    "default_replica_set",
    "default_replication_controller",
    "default_stateful_set",
]


def default_deployment(deployment: Deployment) -> None:
    spec = deployment.spec
    default_pod_template_spec(spec.template)
    if spec.replicas is None:
        fill(spec, replicas=1)
    if spec.revision_history_limit is None:
        fill(spec, revision_history_limit=10)
    if spec.progress_deadline_seconds is None:
        fill(spec, progress_deadline_seconds=600)
    strategy = spec.strategy
    if not strategy.type:
        fill(strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateDeployment()
        fill(
            rolling,
            max_unavailable="25%" if rolling.max_unavailable is None else rolling.max_unavailable,
            max_surge="25%" if rolling.max_surge is None else rolling.max_surge,
        )
        fill(strategy, rolling_update=rolling)


def default_replica_set(replica_set: ReplicaSet) -> None:
    default_pod_template_spec(replica_set.spec.template)
    if replica_set.spec.replicas is None:
        fill(replica_set.spec, replicas=1)


def default_daemon_set(daemon_set: DaemonSet) -> None:
    spec = daemon_set.spec
    default_pod_template_spec(spec.template)
    if spec.revision_history_limit is None:
        fill(spec, revision_history_limit=10)
    strategy = spec.update_strategy
    if not strategy.type:
        fill(strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateDaemonSet()
        fill(
            rolling,
            max_unavailable=1 if rolling.max_unavailable is None else rolling.max_unavailable,
            max_surge=0 if rolling.max_surge is None else rolling.max_surge,
        )
        fill(strategy, rolling_update=rolling)


def default_stateful_set(stateful_set: StatefulSet) -> None:
    spec = stateful_set.spec
    default_pod_template_spec(spec.template)
    if not spec.pod_management_policy:
        fill(spec, pod_management_policy="OrderedReady")
    if spec.replicas is None:
        fill(spec, replicas=1)
    if spec.revision_history_limit is None:
        fill(spec, revision_history_limit=10)
    _default_update_strategy(spec)
    retention = spec.persistent_volume_claim_retention_policy or StatefulSetPersistentVolumeClaimRetentionPolicy()
    fill(
        retention,
        when_deleted=retention.when_deleted or "Retain",
        when_scaled=retention.when_scaled or "Retain",
    )
    fill(spec, persistent_volume_claim_retention_policy=retention)
    for claim in spec.volume_claim_templates:
        _default_claim_template(claim)


def _default_update_strategy(spec: StatefulSetSpec) -> None:
    strategy = spec.update_strategy
    if not strategy.type:
        fill(strategy, type="RollingUpdate")
        if strategy.rolling_update is None:
            fill(strategy, rolling_update=RollingUpdateStatefulSetStrategy())
    rolling = strategy.rolling_update
    if strategy.type == "RollingUpdate" and rolling is not None and rolling.partition is None:
        fill(rolling, partition=0)


def _default_claim_template(claim: PersistentVolumeClaim) -> None:
    """A claim template keeps its type, which every other object inside kcore leaves to its kind."""
    fill(claim, kind=claim.kind or "PersistentVolumeClaim", api_version=claim.api_version or "v1")
    if claim.spec.volume_mode is None:
        fill(claim.spec, volume_mode="Filesystem")
    if not claim.status.phase:
        fill(claim.status, phase="Pending")


def default_replication_controller(controller: ReplicationController) -> None:
    """Selector and labels default to those of the template."""
    spec = controller.spec
    if spec.template is not None:
        default_pod_template_spec(spec.template)
        labels = spec.template.metadata.labels
        if labels:
            if not spec.selector:
                fill(spec, selector=dict(labels))
            if not controller.metadata.labels:
                fill(controller.metadata, labels=dict(labels))
    if spec.replicas is None:
        fill(spec, replicas=1)
