"""The workload kinds of the apps group, and ReplicationController, which is older than it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from kcore.api.apps_v1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from kcore.api.core_v1 import ReplicationController
from kcore.api.field import Path
from kcore.api.names import dns1123_label
from kcore.api.schema import fill
from kcore.registry.advice.pods import name_advice, template_advice
from kcore.registry.advice.volumes import claim_spec_advice
from kcore.registry.defaults.apps_v1 import (
    default_daemon_set,
    default_deployment,
    default_replica_set,
    default_replication_controller,
    default_stateful_set,
)
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.daemon_sets import (
    validate_controller_revision,
    validate_controller_revision_update,
    validate_daemon_set,
    validate_daemon_set_status,
    validate_daemon_set_update,
)
from kcore.registry.validation.deployments import (
    validate_deployment,
    validate_deployment_status,
    validate_deployment_update,
)
from kcore.registry.validation.replica_sets import (
    validate_replica_set,
    validate_replica_set_status,
    validate_replica_set_update,
    validate_replication_controller,
    validate_replication_controller_status,
    validate_replication_controller_update,
)
from kcore.registry.validation.stateful_sets import (
    validate_stateful_set,
    validate_stateful_set_status,
    validate_stateful_set_update,
)

__all__ = ["STRATEGIES"]

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _advice(obj: Any, old: Any) -> Iterator[str]:
    """The name is looked at once, the template whenever the spec changes."""
    if old is None:
        yield from name_advice(obj.metadata.name)
    if old is None or obj.metadata.generation != old.metadata.generation:
        yield from template_advice(obj.spec.template, Path("spec") / "template")


def _stateful_set_advice(obj: StatefulSet, old: StatefulSet | None) -> Iterator[str]:
    yield from _advice(obj, old)
    for i, claim in enumerate(obj.spec.volume_claim_templates):
        yield from claim_spec_advice(claim.spec, Path("spec") / "volumeClaimTemplates" @ i)
    limit = obj.spec.revision_history_limit
    if limit is not None and limit < 0:
        yield (
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )


_replicas: Callable[[Any], str] = lambda obj: str(obj.status.replicas)  # noqa: E731  # a reader, like its neighbours


class DeploymentStrategy(Ruled):
    type = Deployment
    keeps_reports = True
    generation = ("spec",)
    rules = Rules(
        default_deployment, validate_deployment, validate_deployment_update, validate_deployment_status, _advice
    )

    def prepare_for_update(self, req: Request, new: Deployment, old: Deployment) -> None:
        """Annotations count as part of the spec: a rollout copies them to its ReplicaSet."""
        super().prepare_for_update(req, new, old)
        if new.metadata.annotations != old.metadata.annotations:
            fill(new.metadata, generation=old.metadata.generation + 1)

    def prepare_for_status_update(self, req: Request, new: Deployment, old: Deployment) -> None:
        super().prepare_for_status_update(req, new, old)
        fill(new.metadata, labels=old.metadata.labels)


class ReplicaSetStrategy(Ruled):
    type = ReplicaSet
    keeps_reports = True
    alike = True
    generation = ("spec",)
    selectable: ClassVar = {"status.replicas": _replicas}
    rules = Rules(
        default_replica_set,
        validate_replica_set,
        validate_replica_set_update,
        validate_replica_set_status,
        _advice,
    )


class ReplicationControllerStrategy(Ruled):
    type = ReplicationController
    keeps_reports = True
    generation = ("spec",)
    default_orphans = True
    selectable: ClassVar = {"status.replicas": _replicas}
    rules = Rules(
        default_replication_controller,
        validate_replication_controller,
        validate_replication_controller_update,
        status=validate_replication_controller_status,
        advice=_advice,
    )


class StatefulSetStrategy(Ruled):
    """`maxUnavailable` of a rolling update is of no effect yet, and dropped where it does not stand (KEP-961)."""

    type = StatefulSet
    keeps_reports = True
    generation = ("spec",)
    name_rule = staticmethod(dns1123_label)
    rules = Rules(
        default_stateful_set,
        validate_stateful_set,
        validate_stateful_set_update,
        validate_stateful_set_status,
        _stateful_set_advice,
    )

    def prepare_for_create(self, req: Request, obj: StatefulSet) -> None:
        super().prepare_for_create(req, obj)
        _drop_max_unavailable(obj)

    def prepare_for_update(self, req: Request, new: StatefulSet, old: StatefulSet) -> None:
        standing = old.spec.update_strategy.rolling_update
        if standing is None or standing.max_unavailable is None:
            _drop_max_unavailable(new)
        super().prepare_for_update(req, new, old)


def _drop_max_unavailable(stateful_set: StatefulSet) -> None:
    rolling = stateful_set.spec.update_strategy.rolling_update
    if rolling is not None:
        fill(rolling, max_unavailable=None)


class DaemonSetStrategy(Ruled):
    type = DaemonSet
    keeps_reports = True
    generation = ("spec",)
    rules = Rules(
        default_daemon_set, validate_daemon_set, validate_daemon_set_update, validate_daemon_set_status, _advice
    )

    def prepare_for_create(self, req: Request, obj: DaemonSet) -> None:
        super().prepare_for_create(req, obj)
        _set_template_generation(obj, max(1, _template_generation(obj)))

    def prepare_for_update(self, req: Request, new: DaemonSet, old: DaemonSet) -> None:
        super().prepare_for_update(req, new, old)
        changed = new.spec.template != old.spec.template
        _set_template_generation(new, _template_generation(old) + changed)

    def prepare_for_status_update(self, req: Request, new: DaemonSet, old: DaemonSet) -> None:
        super().prepare_for_status_update(req, new, old)
        _set_template_generation(new, _template_generation(old))


def _template_generation(daemon_set: DaemonSet) -> int:
    """A field of old versions of the API, which lives on as an annotation."""
    text = daemon_set.metadata.annotations.get(_TEMPLATE_GENERATION, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 19 else 0


def _set_template_generation(daemon_set: DaemonSet, generation: int) -> None:
    annotations = {**daemon_set.metadata.annotations, _TEMPLATE_GENERATION: str(generation)}
    fill(daemon_set.metadata, annotations=annotations)


class ControllerRevisionStrategy(Ruled):
    type = ControllerRevision
    rules = Rules(create=validate_controller_revision, update=validate_controller_revision_update)


STRATEGIES = (
    ControllerRevisionStrategy,
    DaemonSetStrategy,
    DeploymentStrategy,
    ReplicaSetStrategy,
    ReplicationControllerStrategy,
    StatefulSetStrategy,
)
