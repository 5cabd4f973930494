"""`scale`: the number of replicas of anything that has replicas, seen as one and the same kind."""

from __future__ import annotations

import dataclasses
from typing import Any

from kcore.api.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from kcore.api.decoding import decoder
from kcore.api.errors import Invalid
from kcore.api.field import Path, invalid
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.schema import fill
from kcore.api.selectors import selector_from_labels, selector_from_struct
from kcore.registry.metadata import check_address
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Request
from kcore.registry.updating import Make, store_update
from kcore.store.store import Record

__all__ = ["get_scale", "scale_of", "store_scale", "update_scale"]


def get_scale(pipe: Pipeline, req: Request) -> Scale:
    record = pipe.store(req.kind).get(req.kind.key(req.namespace, req.name))
    if record is None:
        raise absent(req)
    return scale_of(record.obj)


async def update_scale(pipe: Pipeline, req: Request, scale: Scale) -> Scale:
    check_address(req, scale.metadata)
    return await store_scale(pipe, req, lambda old: scale, uid=scale.metadata.uid)


async def store_scale(pipe: Pipeline, req: Request, make: Make, *, uid: str = "") -> Scale:
    """Set the replicas of the parent to what the Scale that `make` gives says: an update of the parent."""

    def scaled(old: Record | None) -> Any:
        assert old is not None  # nothing that scales is created by an update
        scale: Scale = make(old)
        _check(scale)
        new = decoder(req.kind.type)(old.data)
        fill(new.spec, replicas=scale.spec.replicas)
        fill(new.metadata, resource_version=scale.metadata.resource_version)
        return new

    parent = dataclasses.replace(req, subresource="")
    record = await store_update(pipe, parent, scaled, uid=uid)
    return scale_of(record.obj)


def scale_of(obj: Any) -> Scale:
    metadata: ObjectMeta = obj.metadata
    selector = obj.spec.selector
    labels = selector_from_struct(selector) if isinstance(selector, LabelSelector) else selector_from_labels(selector)
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
        spec=ScaleSpec(replicas=obj.spec.replicas or 0),
        status=ScaleStatus(replicas=obj.status.replicas, selector=str(labels)),
    )


def _check(scale: Scale) -> None:
    if scale.spec.replicas < 0:
        error = invalid(Path("spec") / "replicas", scale.spec.replicas, "must be greater than or equal to 0")
        raise Invalid.named("autoscaling", "Scale", scale.metadata.name, [error])
