"""Which paths an object has, and which of them a change adds, alters or removes.

Objects are walked by their schema, whether they are typed or JSON trees; equal parts are skipped in C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

from msgspec.structs import astuple

from kcore.api.schema import Struct
from kcore.registry.managed_fields.field_sets import (
    LEAF,
    SELF,
    FieldSet,
    Node,
    key_element,
    union,
    value_element,
)
from kcore.registry.managed_fields.schemas import ABSENT, UNTYPED, Key, Schema, Sort, members

__all__ = ["Comparison", "ElementError", "compare", "element_of", "elements", "field_set", "fitting", "resolve"]


class ElementError(ValueError):
    """A value that does not fit its schema, or an element of a list that cannot be told apart from the others."""


class Comparison(NamedTuple):
    """What a change touched."""

    changed: FieldSet
    """Paths that were added or have another value."""
    removed: FieldSet


_NOTHING = Comparison(None, None)
_CHANGED = Comparison(LEAF, None)
_ELEMENTS_MAX = 4096
_WHOLES_MAX = 256


def resolve(schema: Schema, value: Any) -> Schema:
    """The schema of a value that stands at a place: an untyped place is what its value is."""
    if schema.sort is not Sort.UNTYPED or schema.leaf:
        return schema
    if isinstance(value, Mapping):
        return _UNTYPED_MAP
    if isinstance(value, list | tuple):
        return _UNTYPED_LIST
    return _UNTYPED_LEAF


def fitting(schema: Schema, value: Any) -> Schema:
    """The same, of a value that nobody has looked at: custom resources are tracked before they are validated, and may
    stand since before their schema was changed. Raises ElementError where the value is not of the schema's sort."""
    if schema.sort is Sort.UNTYPED:
        return resolve(schema, value)
    if schema.type is None and value is not None and not schema.leaf:
        if schema.sort is Sort.LIST:
            if not isinstance(value, list | tuple):
                raise ElementError("expected list")
        elif not isinstance(value, Mapping | Struct):
            raise ElementError("expected map")
    return schema


_UNTYPED_MAP = Schema(Sort.MAP, leaf=False, element=UNTYPED)
_UNTYPED_LIST = Schema(Sort.LIST, leaf=True, element=UNTYPED)
_UNTYPED_LEAF = Schema(Sort.SCALAR, leaf=True)


# --- elements of lists ---


def element_of(schema: Schema, item: Any) -> str:
    """The path element of a list's item. Raises ElementError."""
    if not schema.keys:
        return value_element(_set_item(item))
    if item is None:
        raise ElementError("associative list with keys may not have a null element")
    if len(schema.keys) > 1:
        return _key_element(schema, item)
    value = _held(schema.keys[0], item)
    known = schema.elements
    element = known.get(value) if isinstance(value, str) else None
    if element is None:
        element = _key_element(schema, item)
        if isinstance(value, str):
            if len(known) >= _ELEMENTS_MAX:
                known.clear()
            known[value] = element
    return element


def _key_element(schema: Schema, item: Any) -> str:
    keys = {key.wire: value for key in schema.keys if (value := _held(key, item)) is not ABSENT}
    if not keys:
        raise ElementError("associative list with keys has an element that omits all key fields")
    return key_element(keys)


def _held(key: Key, item: Any) -> Any:
    """What an item holds as one of its keys."""
    if isinstance(item, Struct):
        value = getattr(item, key.name)
        return key.default if value is key.omitted or value == key.omitted else value
    if not isinstance(item, dict):
        raise ElementError("associative list with keys may not have non-map elements")
    return item.get(key.wire, key.default)


def _set_item(item: Any) -> Any:
    if item is None:
        raise ElementError("associative list without keys has an element that's an explicit null")
    if isinstance(item, Mapping):
        raise ElementError("associative list without keys has an element that's a map type")
    if isinstance(item, list | tuple):
        raise ElementError("not supported: associative list with lists as elements")
    return item


def elements(schema: Schema, items: Sequence[Any] | None) -> dict[str, list[Any]]:
    """The items of a list by their path elements; more than one where there are duplicates."""
    found: dict[str, list[Any]] = {}
    for item in items or ():
        found.setdefault(element_of(schema, item), []).append(item)
    return found


# --- the paths of an object ---


def field_set(schema: Schema, value: Any) -> FieldSet:
    """What an applied configuration owns: its leaves, its list elements and map entries."""
    node = _owned(schema, value)
    return node or None


def _owned(schema: Schema, value: Any) -> FieldSet:
    schema = fitting(schema, value)
    if schema.leaf:
        return LEAF
    if schema.sort is Sort.LIST:
        return _owned_elements(schema, value)
    present = members(schema, value)
    if not present:
        return LEAF
    node: dict[str, Node] = {}
    for wire, held in present.items():
        child = schema.child(wire) or UNTYPED
        owned = LEAF if held is None else _owned(child, held)
        if wire not in schema.fields:
            owned = union(owned, LEAF)
        if owned is not None:
            node[f"f:{wire}"] = owned
    return node or None


def _owned_elements(schema: Schema, items: Sequence[Any] | None) -> FieldSet:
    assert schema.element is not None
    node: dict[str, Node] = {}
    for element, same in elements(schema, items).items():
        owned = _owned(schema.element, same[0]) if len(same) == 1 else None
        node[element] = union(owned, LEAF) or LEAF
    return node or None


# --- the paths of a change ---


def compare(schema: Schema, old: Any, new: Any) -> Comparison:
    """What became of `old` in `new`; either may be ABSENT."""
    if old is ABSENT:
        return Comparison(_whole(schema, new), None)
    if new is ABSENT:
        return Comparison(None, _whole(schema, old))
    if old is new or old == new:
        return _NOTHING
    if schema.leaf:
        return _CHANGED
    if schema.type is not None and isinstance(old, Struct) and isinstance(new, Struct):
        return _compare_structs(schema, old, new)
    at = fitting(schema, new)
    if at.leaf or fitting(schema, old).leaf:
        return _CHANGED
    if at.sort is Sort.LIST:
        return _compare_lists(at, old or (), new or ())
    return _compare_members(at, members(at, old), members(at, new))


def _compare_structs(schema: Schema, old: Struct, new: Struct) -> Comparison:
    """The same as `_compare_members` for two typed objects, without making dicts of them."""
    changed: dict[str, Node] = {}
    removed: dict[str, Node] = {}
    befores, afters = astuple(old), astuple(new)
    differing = compress(zip(schema.attributes, befores, afters, strict=True), map(ne, befores, afters))
    for (_, _, element, child, omitted), before, after in differing:
        if after == omitted:
            removed[element] = _whole(child, before)
        elif child.leaf or before == omitted:
            changed[element] = LEAF if child.leaf else _whole(child, after)
        else:
            _note(element, compare(child, before, after), changed, removed)
    return Comparison(changed or None, removed or None)


def _compare_members(schema: Schema, old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    if not old and not new:
        return Comparison(LEAF, None)  # null or empty, but not the same
    changed: dict[str, Node] = {}
    removed: dict[str, Node] = {}
    for wire, after in new.items():
        before = old.get(wire, ABSENT)
        if before is after or before == after:
            continue
        found = compare(schema.child(wire) or UNTYPED, before, after)
        _note(f"f:{wire}", found, changed, removed)
    for wire, before in old.items():
        if wire not in new:
            removed[f"f:{wire}"] = _whole(schema.child(wire) or UNTYPED, before)
    return Comparison(changed or None, removed or None)


def _compare_lists(schema: Schema, old: Sequence[Any], new: Sequence[Any]) -> Comparison:
    if not old and not new:
        return Comparison(LEAF, None)
    if not old:
        return Comparison(dict(_parts(schema, new)), None)
    assert schema.element is not None
    changed: dict[str, Node] = {}
    removed: dict[str, Node] = {}
    names = [element_of(schema, item) for item in new]
    if len(old) == len(new) == len(set(names)) and names == [element_of(schema, item) for item in old]:
        for element, one, other in zip(names, old, new, strict=True):
            if one is not other and one != other:
                _note(element, compare(schema.element, one, other), changed, removed)
        return Comparison(changed or None, removed or None)
    befores, afters = elements(schema, old), elements(schema, new)
    for element in {**befores, **afters}:
        before, after = befores.get(element, []), afters.get(element, [])
        if before != after:
            _note(element, _compare_items(schema.element, before, after), changed, removed)
    return Comparison(changed or None, removed or None)


def _compare_items(schema: Schema, before: list[Any], after: list[Any]) -> Comparison:
    """Duplicates are owned together, as one value."""
    if len(before) > 1 and len(after) > 1:
        return Comparison(LEAF, None)
    if len(before) > 1:
        return Comparison(compare(schema, ABSENT, after[0]).changed if after else None, LEAF)
    if len(after) > 1:
        return Comparison(LEAF, compare(schema, before[0], ABSENT).removed if before else None)
    return compare(schema, before[0] if before else ABSENT, after[0] if after else ABSENT)


def _note(element: str, found: Comparison, changed: dict[str, Node], removed: dict[str, Node]) -> None:
    if found.changed is not None:
        changed[element] = found.changed
    if found.removed is not None:
        removed[element] = found.removed


def _whole(schema: Schema, value: Any) -> Node:
    """A path that came or went, and every path below it."""
    if schema.leaf or not value:
        return LEAF
    if schema.type is not None and isinstance(value, Struct):
        return _whole_struct(schema, value)
    node = dict(_parts(fitting(schema, value), value))
    if node:
        node[SELF] = LEAF
    return node


def _whole_struct(schema: Schema, value: Struct) -> Node:
    held = astuple(value)
    present = tuple(map(ne, held, schema.omissions))
    known = schema.wholes.get(present)
    if known is not None:
        return known
    node: dict[str, Node] = {}
    flat = True
    for (_, _, element, child, _), part in compress(zip(schema.attributes, held, strict=True), present):
        node[element] = LEAF if child.leaf else _whole(child, part)
        flat = flat and child.leaf
    if node:
        node[SELF] = LEAF
    if flat and len(schema.wholes) < _WHOLES_MAX:
        schema.wholes[present] = node
    return node


def _parts(schema: Schema, value: Any) -> Iterator[tuple[str, Node]]:
    if schema.leaf:
        return
    if schema.sort is Sort.LIST:
        assert schema.element is not None
        for element, same in elements(schema, value).items():
            yield element, _whole(schema.element, same[0]) if len(same) == 1 else LEAF
        return
    for wire, held in members(schema, value).items():
        yield f"f:{wire}", _whole(schema.child(wire) or UNTYPED, held)
