"""`pods/eviction`: a deletion that asks the pod's disruption budget first (KEP-85)."""

from __future__ import annotations

import msgspec

from kcore.api.core_v1 import Pod, PodCondition
from kcore.api.errors import ApiError, BadRequest, Forbidden, TooManyRequests
from kcore.api.meta_v1 import Condition, DeleteOptions, Status, StatusCause, StatusDetails
from kcore.api.policy_v1 import Eviction, PodDisruptionBudget
from kcore.api.selectors import selector_from_struct
from kcore.registry.admission import NOBODY, Operation
from kcore.registry.deleting import delete
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Request
from kcore.registry.subresources.binding import CREATED
from kcore.store.store import Put, Record, RevisionMismatch

__all__ = ["evict"]

_replace = msgspec.structs.replace

_DISRUPTED_MAX = 2000
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(pipe: Pipeline, req: Request, eviction: Eviction) -> Status:
    if eviction.metadata.name != req.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    eviction = await pipe.admission.admit(req, Operation.CREATE, eviction, None)
    await pipe.admission.validate(req, Operation.CREATE, eviction, None)
    options = eviction.delete_options or DeleteOptions()
    req.dry_run = req.dry_run or bool(options.dry_run)
    while True:
        old = pipe.store(req.kind).head(req.kind.key(req.namespace, req.name))
        if old is None:
            raise absent(req)
        try:
            if not _beyond_disruption(old.obj):
                await _ask_budget(pipe, req, old.obj)
            if not req.dry_run:
                await _mark_target(pipe, req, old)
        except RevisionMismatch:
            continue
        break
    await delete(pipe, _replace(req, verb="delete", subresource=""), options, admission=NOBODY)
    req.code = 201
    return CREATED


def _beyond_disruption(pod: Pod) -> bool:
    """A pod that is not at work, or no longer, is nobody's loss."""
    return pod.status.phase in ("Succeeded", "Failed", "Pending") or pod.metadata.deletion_timestamp is not None


async def _ask_budget(pipe: Pipeline, req: Request, pod: Pod) -> None:
    """Take one disruption from the budget that covers the pod, if one does. Raises where none is left."""
    budgets = _budgets(pipe, pod)
    if len(budgets) > 1:
        raise ApiError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            reason="",
        )
    if not budgets or _unhealthy_may_go(pod, budgets[0].obj):
        return
    record = budgets[0]
    budget = _decremented(record.obj, pod.metadata.name, pipe.timestamp())
    if not req.dry_run:
        await pipe.commit(pipe.env.scheme.of(PodDisruptionBudget), Put(record.key, budget, record.revision))


def _budgets(pipe: Pipeline, pod: Pod) -> list[Record]:
    store = pipe.env.store
    prefix = f"poddisruptionbudgets.policy/{pod.metadata.namespace}/"
    labels = pod.metadata.labels
    heads = [store.head(r.key) for r in store.range(prefix).records]
    return [r for r in heads if r is not None and selector_from_struct(r.obj.spec.selector).matches(labels)]


def _unhealthy_may_go(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """An unready pod may go by the budget's unhealthyPodEvictionPolicy (KEP-3017)."""
    if any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions):
        return False
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    status = budget.status
    return status.current_healthy >= status.desired_healthy > 0


def _decremented(budget: PodDisruptionBudget, pod: str, now: str) -> PodDisruptionBudget:
    status = budget.status
    name = budget.metadata.name
    if status.observed_generation < budget.metadata.generation:
        raise _violation(f"The disruption budget {name} is still being processed by the server.", 10)
    if status.disruptions_allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative")
    if len(status.disrupted_pods) > _DISRUPTED_MAX:
        raise _forbidden(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if status.disruptions_allowed == 0:
        needs = f"needs {status.desired_healthy} healthy pods and has {status.current_healthy} currently"
        raise _violation(f"The disruption budget {name} {needs}", 0)
    left = status.disruptions_allowed - 1
    conditions = status.conditions if left else _exhausted(status.conditions, budget.metadata.generation, now)
    disrupted = {**status.disrupted_pods, pod: now}
    changed = _replace(status, disruptions_allowed=left, disrupted_pods=disrupted, conditions=conditions)
    return _replace(budget, metadata=_replace(budget.metadata), status=changed)


def _exhausted(conditions: tuple[Condition, ...], generation: int, now: str) -> tuple[Condition, ...]:
    exhausted = Condition(
        type="DisruptionAllowed",
        status="False",
        reason="InsufficientPods",
        observed_generation=generation,
        last_transition_time=now,
    )
    return (*(c for c in conditions if c.type != exhausted.type), exhausted)


def _violation(why: str, retry_after: int) -> TooManyRequests:
    cause = StatusCause(reason="DisruptionBudget", message=why)
    return TooManyRequests(_VIOLATES, StatusDetails(causes=(cause,), retry_after_seconds=retry_after))


def _forbidden(name: str, why: str) -> Forbidden:
    details = StatusDetails(name=name, group="policy", kind="poddisruptionbudget")
    return Forbidden(f'poddisruptionbudget.policy "{name}" is forbidden: {why}', details)


async def _mark_target(pipe: Pipeline, req: Request, old: Record) -> None:
    """Let the pod tell why it ends (KEP-3329)."""
    pod: Pod = old.obj
    target = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=pipe.timestamp(),
    )
    others = tuple(c for c in pod.status.conditions if c.type != target.type)
    status = _replace(pod.status, conditions=(*others, target))
    await pipe.commit(
        req.kind, Put(old.key, _replace(pod, metadata=_replace(pod.metadata), status=status), old.revision)
    )
