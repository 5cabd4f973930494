"""The recipe of server-side apply: an update, or a create, made of a configuration and of what stands (KEP-555)."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from kcore.api.autoscaling_v1 import Scale
from kcore.api.decoding import json_type, may_repeat_keys
from kcore.api.errors import BadRequest, Conflict
from kcore.api.json_syntax import too_deep
from kcore.api.kind import parse_api_version
from kcore.api.schema import JSON
from kcore.kit.offload import beside
from kcore.registry.managed_fields import Managers
from kcore.registry.metadata import check_address
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Answer, Request
from kcore.registry.subresources import store_scale
from kcore.registry.updating import store_update
from kcore.store.store import Record

__all__ = ["apply"]

Tree = dict[str, JSON]
_encode = msgspec.json.Encoder().encode


async def apply(pipe: Pipeline, req: Request, body: bytes) -> Answer:
    """Apply a configuration, in YAML or JSON, for the manager `req.field_manager`."""
    managers = pipe.managers(req)
    config = await beside(len(body), partial(_configuration, req, managers, body))
    if req.subresource == "scale":
        return await _apply_scale(pipe, req, managers, config)
    strategy, now = pipe.strategy(req.kind), pipe.timestamp()

    def make(old: Record | None) -> Any:
        live, data = (old.obj, old.data) if old else (None, None)
        new = managers.apply(req.field_manager, config, live, data, force=req.force, time=now)
        if old is None and new.metadata.uid:
            why = (
                f"uid mismatch: the provided object specified uid {new.metadata.uid}, and no existing object was found"
            )
            raise Conflict.of(req.kind, req.name, why)
        check_address(req, new.metadata)
        strategy.receive(req, new)
        return new

    # Below the object itself, what is absent stays so, but for kinds that any update creates.
    may_create = None if req.subresource else True
    return await store_update(pipe, req, make, may_create=may_create, track=_tracked)


def _tracked(new: Any, old: Any | None) -> None:
    """Nothing is left to note: the apply has done it."""


async def _apply_scale(pipe: Pipeline, req: Request, managers: Managers, config: Tree) -> Scale:
    def make(live: Scale) -> Scale:
        data = _encode(live)
        scale: Scale = managers.apply(req.field_manager, config, live, data, force=req.force, time=pipe.timestamp())
        check_address(req, scale.metadata)
        return scale

    return await store_scale(pipe, req, make, tracked=True)


def _configuration(req: Request, managers: Managers, body: bytes) -> Tree:
    """What the body says, checked, without its kind and version. Raises BadRequest."""
    config, repeated = _parse(body)
    kind, api_version = config.pop("kind", None), config.pop("apiVersion", None)
    kind = kind if isinstance(kind, str) else ""
    group, version = parse_api_version(api_version) if isinstance(api_version, str) else ("", "")
    if (group, version, kind) != (managers.kind.group, managers.kind.version, managers.kind.name):
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={kind}")
    managers.check(config)
    if repeated and req.field_validation == "Strict":
        lines = "\n".join(f"  {line}" for line in repeated)
        raise BadRequest(f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n{lines}")
    if req.field_validation == "Warn":
        req.warnings += repeated
    return config


def _parse(body: bytes) -> tuple[Tree, tuple[str, ...]]:
    """The tree and what is said of its repeated keys. JSON is YAML, but is read faster by itself."""
    try:
        tree = msgspec.json.decode(body)
        if isinstance(tree, dict) and not too_deep(body) and not may_repeat_keys(body, tree):
            return tree, ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml

    try:
        tree, repeated = parse_yaml(body)
    except YAMLSyntaxError as e:
        raise BadRequest(f"error decoding YAML: error converting YAML to JSON: {e}") from None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        into = f"json: cannot unmarshal {json_type(tree)} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {into}")
    return tree, repeated
