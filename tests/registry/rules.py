"""What the rules of a kind say about an object, without a store or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kcore.api.kind import parse_api_version
from kcore.api.scheme import Scheme
from kcore.registry.strategies import STRATEGIES
from kcore.registry.strategies.ruled import Ruled, Rules

__all__ = ["advice", "broken", "broken_update", "changed", "completed", "load"]

_SCHEME = Scheme()
_RULES: Mapping[Any, Rules] = {s.type: s.rules for s in STRATEGIES if issubclass(s, Ruled)}


def changed(base: Any, patch: Any) -> Any:
    """`base` with a JSON merge patch (RFC 7386) applied: what a case says is only how it differs."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = changed(merged.get(key), value)
    return merged


def load(body: Mapping[str, Any]) -> Any:
    """The object that a document describes, with its defaults."""
    kind = _SCHEME.find_kind(*parse_api_version(body["apiVersion"]), body["kind"])
    assert kind is not None, body["kind"]
    content = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    obj = msgspec.json.decode(msgspec.json.encode(content), type=kind.type)
    _RULES[kind.type].defaults(obj)
    return obj


def completed(body: Mapping[str, Any]) -> Any:
    """The JSON tree of a document after defaulting."""
    return msgspec.json.decode(msgspec.json.encode(load(body)))


def broken(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with a new object, a line for each error."""
    obj = load(body)
    return [str(error) for error in _RULES[type(obj)].create(obj)]


def broken_update(body: Mapping[str, Any], patch: Mapping[str, Any]) -> list[str]:
    """What is wrong with changing an object by a merge patch."""
    old, new = load(body), load(changed(body, patch))
    rules = _RULES[type(old)]
    return [str(error) for error in (rules.create(new) if rules.update is None else rules.update(new, old))]


def advice(body: Mapping[str, Any]) -> list[str]:
    obj = load(body)
    return list(_RULES[type(obj)].advice(obj, None))
