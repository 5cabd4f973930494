"""`pods/binding`: the scheduler's word about where a pod runs. It can be given once."""

from __future__ import annotations

import msgspec

from kcore.api.core_v1 import Binding, Pod, PodCondition
from kcore.api.errors import BadRequest, Conflict
from kcore.api.field import FieldError, Path, not_supported, required
from kcore.api.meta_v1 import Status, StatusDetails
from kcore.registry.admission import Operation
from kcore.registry.metadata import check_namespace
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Request
from kcore.store.store import Put, RevisionMismatch

__all__ = ["bind"]

_replace = msgspec.structs.replace

CREATED = Status(kind="Status", api_version="v1", status="Success", code=201)


async def bind(pipe: Pipeline, req: Request, binding: Binding) -> Status:
    if binding.metadata.name != req.name:
        raise BadRequest("name in URL does not match name in Binding object")
    check_namespace(req, binding.metadata)
    binding = await pipe.admission.admit(req, Operation.CREATE, binding, None)
    if errors := list(_errors(binding)):
        raise BadRequest(", ".join(map(str, errors)))
    await pipe.admission.validate(req, Operation.CREATE, binding, None)
    key = req.kind.key(req.namespace, req.name)
    while True:
        old = pipe.store(req.kind).head(key)
        if old is None:
            raise absent(req)
        pod = _bound(req, binding, old.obj, pipe.timestamp())
        req.code = 201
        if req.dry_run:
            return CREATED
        try:
            await pipe.commit(req.kind, Put(key, pod, old.revision))
        except RevisionMismatch:
            continue
        return CREATED


def _errors(binding: Binding) -> list[FieldError]:
    target = Path("target")
    errors = []
    if binding.target.kind not in ("", "Node"):
        errors.append(not_supported(target / "kind", binding.target.kind, ("Node", "<empty>")))
    if not binding.target.name:
        errors.append(required(target / "name"))
    return errors


def _bound(req: Request, binding: Binding, pod: Pod, now: str) -> Pod:
    """The pod on its node. Its parts are shared with the old one but for those that change."""
    if binding.metadata.uid and binding.metadata.uid != pod.metadata.uid:
        raise _conflict(
            req,
            f"Precondition failed: UID in precondition: {binding.metadata.uid}, UID in object meta: {pod.metadata.uid}",
        )
    if pod.metadata.deletion_timestamp:
        raise _conflict(req, f"pod {req.name} is being deleted, cannot be assigned to a host")
    if pod.spec.node_name:
        raise _conflict(req, f'pod {req.name} is already assigned to node "{pod.spec.node_name}"')
    if pod.spec.scheduling_gates:
        raise _conflict(req, f"pod {req.name} has non-empty .spec.schedulingGates")
    metadata = _replace(
        pod.metadata,
        annotations={**pod.metadata.annotations, **binding.metadata.annotations},
        labels={**binding.metadata.labels, **pod.metadata.labels},
    )
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=now)
    others = tuple(c for c in pod.status.conditions if c.type != "PodScheduled")
    return _replace(
        pod,
        metadata=metadata,
        spec=_replace(pod.spec, node_name=binding.target.name),
        status=_replace(pod.status, conditions=(*others, scheduled)),
    )


def _conflict(req: Request, why: str) -> Conflict:
    details = StatusDetails(name=req.name, kind="pods/binding")
    return Conflict(f'Operation cannot be fulfilled on pods/binding "{req.name}": {why}', details)
