"""Whether an applied configuration fits its schema, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcore.registry.managed_fields.comparison import ElementError, element_of, resolve
from kcore.registry.managed_fields.field_sets import path_text
from kcore.registry.managed_fields.schemas import UNTYPED, Schema, Sort

__all__ = ["check"]


def check(schema: Schema, tree: Any) -> str:
    """What is wrong with a tree; empty: nothing."""
    found = sorted(f"{path}: {why}" if path else why for path, why in _errors(schema, tree, ""))
    return found[0] if len(found) == 1 else "\n  ".join(["errors:", *found]) if found else ""


def _errors(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, str]]:
    schema = resolve(schema, value)
    if value is None:
        return
    if schema.sort is Sort.LIST:
        if not isinstance(value, list):
            yield path, f"expected list, got {_shown(value)}"
        else:
            yield from _item_errors(schema, value, path)
    elif schema.sort in (Sort.STRUCT, Sort.MAP):
        if not isinstance(value, dict):
            yield path, f"expected map, got {_shown(value)}"
        else:
            yield from _member_errors(schema, value, path)
    elif schema.sort is not Sort.UNTYPED and (why := _scalar_error(schema.sort, value)):
        yield path, why


def _member_errors(schema: Schema, value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for wire, held in value.items():
        at = f"{path}.{wire}"
        child = schema.child(wire)
        if child is None:
            yield at, "field not declared in schema"
        else:
            yield from _errors(child, held, at)


def _item_errors(schema: Schema, items: list[Any], path: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for i, item in enumerate(items):
        at = f"[{i}]"
        if not schema.leaf:
            try:
                element = element_of(schema, item)
            except ElementError as e:
                yield path, f"element {i}: {e}"
                return
            at = path_text([element])
            if element in seen:
                yield path, f"duplicate entries for key {at}"
            seen.add(element)
        yield from _errors(schema.element or UNTYPED, item, path + at)


def _scalar_error(sort: Sort, value: Any) -> str:
    if isinstance(value, dict | list):
        fits = False
    elif sort is Sort.STRING:
        fits = isinstance(value, str)
    elif sort is Sort.NUMERIC:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = sort is not Sort.BOOLEAN or isinstance(value, bool)
    if fits:
        return ""
    if sort is Sort.NUMERIC:
        return "expected numeric (int or float), got *value.valueUnstructured"
    if sort is Sort.STRING:
        return f"expected string, got &value.valueUnstructured{{Value:{_go(value, '%#v')}}}"
    return f"expected {'boolean' if sort is Sort.BOOLEAN else 'any scalar'}, got {_shown(value)}"


def _shown(value: Any) -> str:
    return f"&{{{_go(value, '%v')}}}"


def _go(value: Any, verb: str) -> str:
    """A JSON value as Go's fmt shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if verb == "%v" else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        between = ", " if verb == "%#v" else " "
        inner = between.join(f"{_go(k, verb)}:{_go(value[k], verb)}" for k in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}" if verb == "%#v" else f"map[{inner}]"
    if isinstance(value, list):
        inner = (", " if verb == "%#v" else " ").join(_go(v, verb) for v in value)
        return f"[]interface {{}}{{{inner}}}" if verb == "%#v" else f"[{inner}]"
    return "<nil>" if value is None else str(value)
