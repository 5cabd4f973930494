"""Paths below an object whose body is another kind: what each does is one module.

Subresources whose body is the object itself (status, resize, approval, ...) are updates and run that recipe.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kcore.api.schema import TypeMeta
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Request
from kcore.registry.subresources.binding import bind
from kcore.registry.subresources.eviction import evict
from kcore.registry.subresources.scale import get_scale, scale_of, store_scale, update_scale
from kcore.registry.subresources.token import create_token

__all__ = ["CREATIONS", "get_scale", "scale_of", "store_scale", "update_scale"]

CREATIONS: Mapping[tuple[str, str], Callable[[Pipeline, Request, Any], Awaitable[TypeMeta]]] = {
    ("pods", "binding"): bind,
    ("pods", "eviction"): evict,
    ("serviceaccounts", "token"): create_token,
}
"""What POST to a subresource does, by group resource and subresource."""
