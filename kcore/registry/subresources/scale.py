"""`scale`: the number of replicas of anything that has replicas, seen as one and the same kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec.structs import replace

from kcore.api.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from kcore.api.decoding import decoder
from kcore.api.errors import Invalid
from kcore.api.field import Path, invalid
from kcore.api.kind import Kind
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.schema import fill
from kcore.api.selectors import selector_from_labels, selector_from_struct
from kcore.registry.admission import Admission, Operation
from kcore.registry.custom.scale import custom_scale, replicas_paths, with_replicas
from kcore.registry.managed_fields.scale import REPLICAS, ReplicasPaths, parent_entries, scale_entries
from kcore.registry.metadata import check_address
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Request
from kcore.registry.updating import store_update
from kcore.store.store import Record

__all__ = ["get_scale", "scale_of", "store_scale", "update_scale"]


def get_scale(pipe: Pipeline, req: Request) -> Scale:
    record = pipe.store(req.kind).get(req.kind.key(req.namespace, req.name))
    if record is None:
        raise absent(req)
    return scale_of(req.kind, record.obj)


async def update_scale(pipe: Pipeline, req: Request, scale: Scale) -> Scale:
    check_address(req, scale.metadata)
    return await store_scale(pipe, req, lambda live: scale, uid=scale.metadata.uid)


MakeScale: TypeAlias = Callable[[Scale], Scale]
"""Gives the new Scale from the one that stands."""


async def store_scale(pipe: Pipeline, req: Request, make: MakeScale, *, uid: str = "", tracked: bool = False) -> Scale:
    """Set the replicas of the parent to what the Scale that `make` gives says: an update of the parent.

    `tracked`: the Scale that `make` gives names its owners.
    """
    managers = pipe.managers(req)
    replicas = _replicas_of(req.kind)

    def scaled(old: Record | None) -> Any:
        assert old is not None  # nothing that scales is created by an update
        live = _owned_scale(req.kind, old.obj, replicas)
        scale = make(live)
        if req.kind.definition is None:
            _check(scale)
        if not tracked:
            managers.update(req.field_manager, scale, live, pipe.timestamp())
        new = decoder(req.kind.type)(old.data)
        new = _with_replicas(req.kind, new, scale.spec.replicas)
        standing, given = old.obj.metadata.managed_fields, scale.metadata.managed_fields
        owners = parent_entries(standing, given, req.kind.api_version, replicas)
        version = scale.metadata.resource_version or live.metadata.resource_version
        fill(new.metadata, resource_version=version, managed_fields=owners)
        return new

    parent = replace(req, subresource="")
    admission = _ScaleAdmission(pipe.admission, req)
    record = await store_update(pipe, parent, scaled, uid=uid, may_create=False, track=_tracked, admission=admission)
    return scale_of(req.kind, record.obj)


class _ScaleAdmission:
    """Shows the chain the Scale that a client sent, not the parent which is stored."""

    def __init__(self, chain: Admission, req: Request) -> None:
        self._chain = chain
        self._req = req

    async def admit(self, parent: Request, operation: Operation, new: Any, old: Any) -> Any:
        kind = self._req.kind
        scale = scale_of(kind, new)
        replicas = scale.spec.replicas
        scale = await self._chain.admit(self._req, operation, scale, scale_of(kind, old))
        return new if scale.spec.replicas == replicas else _with_replicas(kind, new, scale.spec.replicas)

    async def validate(self, parent: Request, operation: Operation, new: Any, old: Any) -> None:
        await self._chain.validate(self._req, operation, scale_of(self._req.kind, new), scale_of(self._req.kind, old))


def _with_replicas(kind: Kind, parent: Any, replicas: int) -> Any:
    if kind.definition is not None:
        return with_replicas(kind, parent, replicas)
    fill(parent.spec, replicas=replicas)
    return parent


def _tracked(new: Any, old: Any | None) -> None:
    """Nothing is left to note: the owners of the Scale are those of the parent."""


def _replicas_of(kind: Kind) -> ReplicasPaths:
    return {kind.api_version: REPLICAS} if kind.definition is None else replicas_paths(kind)


def _owned_scale(kind: Kind, obj: Any, replicas: ReplicasPaths) -> Scale:
    """With its owners, which clients of a Scale do not see."""
    scale = scale_of(kind, obj)
    fill(scale.metadata, managed_fields=scale_entries(obj.metadata.managed_fields, replicas))
    return scale


def scale_of(kind: Kind, obj: Any) -> Scale:
    metadata: ObjectMeta = obj.metadata
    spec, status = _built_in_scale(obj) if kind.definition is None else custom_scale(kind, obj)
    return Scale(
        kind="Scale",
        api_version="autoscaling/v1",
        metadata=ObjectMeta(
            name=metadata.name,
            namespace=metadata.namespace,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
            creation_timestamp=metadata.creation_timestamp,
        ),
        spec=spec,
        status=status,
    )


def _built_in_scale(obj: Any) -> tuple[ScaleSpec, ScaleStatus]:
    selector = obj.spec.selector
    labels = selector_from_struct(selector) if isinstance(selector, LabelSelector) else selector_from_labels(selector)
    return ScaleSpec(replicas=obj.spec.replicas or 0), ScaleStatus(replicas=obj.status.replicas, selector=str(labels))


def _check(scale: Scale) -> None:
    if scale.spec.replicas < 0:
        error = invalid(Path("spec") / "replicas", scale.spec.replicas, "must be greater than or equal to 0")
        raise Invalid.named("autoscaling", "Scale", scale.metadata.name, [error])
