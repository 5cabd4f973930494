"""What a Deployment's status says of its rollout: counts, and the conditions in upstream's words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from kcore.api.timestamp import format_seconds, parse
from kcore.controllers.rollout import available_total, max_unavailable, size_total, wanted

__all__ = [
    "has_deadline",
    "is_complete",
    "progressing",
    "rollout_status",
    "seconds_to_deadline",
    "set_condition",
    "status_of",
    "with_pause",
]

Conditions = tuple[DeploymentCondition, ...]

PROGRESSING = "Progressing"
AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
NO_DEADLINE = 2**31 - 1


def has_deadline(deployment: Deployment) -> bool:
    return deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)


def find(conditions: Conditions, type_: str) -> DeploymentCondition | None:
    return next((c for c in conditions if c.type == type_), None)


def without(conditions: Conditions, type_: str) -> Conditions:
    return tuple(c for c in conditions if c.type != type_)


def set_condition(conditions: Conditions, new: DeploymentCondition) -> Conditions:
    """With `new` in place of its like; one with the same status and reason stands, message and all."""
    old = find(conditions, new.type)
    if old is not None and (old.status, old.reason) == (new.status, new.reason):
        return conditions
    if old is not None and old.status == new.status:
        new = replace(new, last_transition_time=old.last_transition_time)
    return (*without(conditions, new.type), new)


def condition(type_: str, status: str, reason: str, message: str, now: float) -> DeploymentCondition:
    text = format_seconds(now)
    return DeploymentCondition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_update_time=text,
        last_transition_time=text,
    )


def progressing(status: str, reason: str, message: str, now: float) -> DeploymentCondition:
    return condition(PROGRESSING, status, reason, message, now)


def with_pause(deployment: Deployment, now: float) -> Conditions:
    """The conditions after a look at whether the Deployment is paused: a paused one makes no progress to judge."""
    conditions = deployment.status.conditions
    if not has_deadline(deployment):
        return conditions
    current = find(conditions, PROGRESSING)
    if current is not None and current.reason == TIMED_OUT:
        return conditions
    known = current is not None and current.reason == PAUSED
    if deployment.spec.paused and not known:
        return set_condition(conditions, progressing("Unknown", PAUSED, "Deployment is paused", now))
    if not deployment.spec.paused and known:
        resumed = progressing("Unknown", "DeploymentResumed", "Deployment is resumed", now)
        return set_condition(conditions, resumed)
    return conditions


def status_of(
    deployment: Deployment, new: ReplicaSet | None, everything: Sequence[ReplicaSet], now: float
) -> DeploymentStatus:
    """The counts, and whether enough pods are available."""
    available = available_total(everything)
    status = DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in everything),
        updated_replicas=new.status.replicas if new is not None else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in everything),
        available_replicas=available,
        unavailable_replicas=max(0, size_total(everything) - available),
        terminating_replicas=sum(rs.status.terminating_replicas or 0 for rs in everything),
        collision_count=deployment.status.collision_count,
    )
    if available >= wanted(deployment) - max_unavailable(deployment):
        found = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        found = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    conditions = set_condition(deployment.status.conditions, condition("Available", *found, now))
    return replace(status, conditions=conditions)


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all pods are new and available, and no old one is left."""
    total = wanted(deployment)
    counts = (status.updated_replicas, status.replicas, status.available_replicas)
    return counts == (total, total, total) and status.observed_generation >= deployment.metadata.generation


def rollout_status(
    deployment: Deployment,
    before: DeploymentStatus,
    new: ReplicaSet | None,
    everything: Sequence[ReplicaSet],
    now: float,
) -> DeploymentStatus:
    """The status during a rollout; `before` is the one that stands, against which progress is measured."""
    status = status_of(deployment, new, everything, now)
    conditions = status.conditions
    if not has_deadline(deployment):
        conditions = without(conditions, PROGRESSING)
    elif not _was_complete(status):
        conditions = _judge(deployment, before, status, new, now)
    return replace(status, conditions=_with_failure(conditions, new, everything))


def _was_complete(status: DeploymentStatus) -> bool:
    current = find(status.conditions, PROGRESSING)
    return current is not None and current.reason == AVAILABLE and status.replicas == status.updated_replicas


def _judge(
    deployment: Deployment, before: DeploymentStatus, status: DeploymentStatus, new: ReplicaSet | None, now: float
) -> Conditions:
    """Complete, making progress, too late, or none of these."""
    conditions = status.conditions
    what = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
    current = find(conditions, PROGRESSING)
    if is_complete(deployment, status):
        done = progressing("True", AVAILABLE, f"{what} has successfully progressed.", now)
        return set_condition(conditions, done)
    if _has_moved(before, status):
        moved = progressing("True", "ReplicaSetUpdated", f"{what} is progressing.", now)
        if current is not None and current.status == "True":
            moved = replace(moved, last_transition_time=current.last_transition_time)
        # The same condition anew: its update time is what the deadline counts from.
        return (*without(conditions, PROGRESSING), moved)
    if _is_late(deployment, current, now):
        return set_condition(conditions, progressing("False", TIMED_OUT, f"{what} has timed out progressing.", now))
    return conditions


def _has_moved(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    return (
        after.updated_replicas > before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
    )


def _is_late(deployment: Deployment, current: DeploymentCondition | None, now: float) -> bool:
    if current is None or current.reason == AVAILABLE or current.last_update_time is None:
        return False
    deadline = deployment.spec.progress_deadline_seconds or 0
    return current.reason == TIMED_OUT or parse(current.last_update_time) + deadline < now


def seconds_to_deadline(deployment: Deployment, status: DeploymentStatus, now: float) -> float | None:
    """When to look again at a rollout that may get stuck; None: nothing to wait for."""
    current = find(status.conditions, PROGRESSING)
    if not has_deadline(deployment) or current is None or current.last_update_time is None:
        return None
    if current.reason in (TIMED_OUT, PAUSED) or is_complete(deployment, status):
        return None
    due = parse(current.last_update_time) + (deployment.spec.progress_deadline_seconds or 0)
    return max(0.0, due - now) + 1.0


def _with_failure(conditions: Conditions, new: ReplicaSet | None, everything: Sequence[ReplicaSet]) -> Conditions:
    """The `ReplicaFailure` of a ReplicaSet, the new one's first."""
    candidates = [new, *everything] if new is not None else everything
    for rs in candidates:
        for found in rs.status.conditions:
            if found.type == "ReplicaFailure":
                failure = DeploymentCondition(
                    type=found.type,
                    status=found.status,
                    reason=found.reason,
                    message=found.message,
                    last_transition_time=found.last_transition_time,
                    last_update_time=found.last_transition_time,
                )
                return set_condition(conditions, failure)
    return without(conditions, "ReplicaFailure")
