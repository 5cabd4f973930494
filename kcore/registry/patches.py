"""The recipe of patch: an update whose new object is made from the standing one."""

from __future__ import annotations

from kcore.api.errors import NotImplementedByServer
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Answer, PatchType, Request

__all__ = ["patch"]


async def patch(pipe: Pipeline, req: Request, patch_type: PatchType, body: bytes) -> Answer:
    raise NotImplementedByServer(f"patches of type {patch_type.value} are not implemented by this server")
