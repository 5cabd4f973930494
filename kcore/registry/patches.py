"""The recipe of patch: an update whose new object is made from the standing one, again for each try."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from kcore.api.autoscaling_v1 import Scale
from kcore.api.documents import Expected
from kcore.api.errors import UnsupportedMediaType
from kcore.api.object import CustomResource
from kcore.kit.offload import beside
from kcore.registry.applying import apply
from kcore.registry.metadata import check_address
from kcore.registry.patching.patch import prepare
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Answer, PatchType, Request
from kcore.registry.subresources import store_scale
from kcore.registry.updating import store_update
from kcore.store.store import Record

__all__ = ["patch"]


async def patch(pipe: Pipeline, req: Request, patch_type: PatchType, body: bytes) -> Answer:
    if patch_type is PatchType.APPLY:
        return await apply(pipe, req, body)
    kind = req.kind
    if patch_type is PatchType.STRATEGIC and kind.definition is not None:
        accepted = ", ".join(t.value for t in PatchType if t is not PatchType.STRATEGIC)
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )
    if req.subresource == "scale":
        return await _patch_scale(pipe, req, patch_type, body)
    given = (patch_type, body, Expected.of(kind), pipe.env.scheme, req.field_validation)
    patched = await beside(len(body), partial(prepare, *given))
    strategy, before = pipe.strategy(kind), [*req.warnings]

    def make(old: Record | None) -> Any:
        assert old is not None
        new, found = patched(old.data)
        req.warnings[:], req.findings[:] = before, ()  # another try may find something else
        (req.findings if isinstance(new, CustomResource) else req.warnings).extend(found)
        check_address(req, new.metadata)
        strategy.receive(req, new)
        return new

    return await store_update(pipe, req, make, may_create=False)


async def _patch_scale(pipe: Pipeline, req: Request, patch_type: PatchType, body: bytes) -> Scale:
    expected = Expected(Scale, "autoscaling", "v1")
    given = (patch_type, body, expected, pipe.env.scheme, req.field_validation)
    patched = await beside(len(body), partial(prepare, *given))
    before = [*req.warnings]

    def make(live: Scale) -> Scale:
        scale: Scale
        scale, found = patched(msgspec.json.encode(live))
        req.warnings[:] = [*before, *found]
        check_address(req, scale.metadata)
        return scale

    return await store_scale(pipe, req, make)
