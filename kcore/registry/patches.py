"""The recipe of patch: an update whose new object is made from the standing one, again for each try."""

from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.autoscaling_v1 import Scale
from kcore.api.documents import Expected
from kcore.api.errors import UnsupportedMediaType
from kcore.registry.metadata import check_address
from kcore.registry.patching.patch import prepare
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Answer, PatchType, Request
from kcore.registry.subresources import scale_of, store_scale
from kcore.registry.updating import store_update
from kcore.store.store import Record

__all__ = ["patch"]


async def patch(pipe: Pipeline, req: Request, patch_type: PatchType, body: bytes) -> Answer:
    if patch_type is PatchType.APPLY:
        supported = ", ".join(t.value for t in PatchType if t is not PatchType.APPLY)
        raise UnsupportedMediaType(
            f"server-side apply is not supported by this server; accepted media types include: {supported}"
        )
    if req.subresource == "scale":
        return await _patch_scale(pipe, req, patch_type, body)
    kind = req.kind
    apply = prepare(patch_type, body, Expected.of(kind), pipe.env.scheme, req.field_validation)
    strategy = pipe.strategy(kind)

    def make(old: Record | None) -> Any:
        assert old is not None
        new, warnings = apply(old.data)
        req.warnings[:] = warnings
        check_address(req, new.metadata)
        strategy.receive(req, new)
        return new

    return await store_update(pipe, req, make, may_create=False)


async def _patch_scale(pipe: Pipeline, req: Request, patch_type: PatchType, body: bytes) -> Scale:
    expected = Expected(Scale, "autoscaling", "v1")
    apply = prepare(patch_type, body, expected, pipe.env.scheme, req.field_validation)

    def make(old: Record | None) -> Any:
        assert old is not None
        scale, warnings = apply(msgspec.json.encode(scale_of(old.obj)))
        req.warnings[:] = warnings
        check_address(req, scale.metadata)
        return scale

    return await store_scale(pipe, req, make)
