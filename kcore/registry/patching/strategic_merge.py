"""Strategic merge patch: a merge patch that knows which lists are maps in disguise.

The field annotations (`shape.Field.patch`) say how each field merges: lists with a merge key are matched element by
element, lists of scalars with strategy merge are united, everything else is replaced. Directives in the patch
change that:

    $patch: replace | delete           in a map: put it instead, or empty it; in a list element: delete that element;
                                       an element that is only {$patch: replace} replaces the whole list
    $retainKeys: [a, b]                drop all other members of this map
    $deleteFromPrimitiveList/x: [...]  take these scalars out of the list x
    $setElementOrder/x: [...]          the order of the list x after merging

The algorithm, the order of merged lists included, is that of apimachinery's `strategicpatch`, which kubectl relies on:
elements of the patch come in the order of the patch, the others keep theirs, and where both orders can be
respected they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

import msgspec

from kcore.api.errors import ApiError, BadRequest
from kcore.api.schema import JSON
from kcore.api.shape import Field, Form, Shape
from kcore.registry.patching.go_format import go_format

__all__ = ["strategic_merge"]

Tree: TypeAlias = dict[str, Any]

_DIRECTIVE = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_SET_ORDER = "$setElementOrder/"


def strategic_merge(original: Tree, patch: Tree, shape: Shape) -> Tree:
    """The patched tree. Both arguments belong to the call and are changed. Raises BadRequest."""
    return _merge_map(original, patch, shape)


def _merge_map(original: Tree, patch: Tree, shape: Shape | None) -> Tree:
    if _DIRECTIVE in patch:
        return _directed(patch)
    _retain_keys(original, patch)
    _apply_orders(original, patch, shape)
    for name, value in patch.items():
        deletes = name.startswith(_DELETE_FROM)
        key = name.removeprefix(_DELETE_FROM)
        if value is None:
            original.pop(key, None)
        elif key not in original:
            if not deletes:
                _put(original, key, value)
        elif isinstance(value, dict) and isinstance(original[key], dict):
            original[key] = _merge_member(original[key], value, shape, key)
        elif isinstance(value, list) and isinstance(original[key], list):
            original[key] = _merge_list(original[key], value, _field(shape, key), deletes=deletes)
        elif not deletes:
            _put(original, key, value)
    return original


def _directed(patch: Tree) -> Tree:
    directive = patch.pop(_DIRECTIVE)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    raise _unknown_directive(directive, {**patch, _DIRECTIVE: directive})


def _unknown_directive(directive: JSON, patch: Tree) -> ApiError:
    return BadRequest(f"unknown patch type: {go_format(directive)} in map: {go_format(patch)}")


def _retain_keys(original: Tree, patch: Tree) -> None:
    if _RETAIN_KEYS not in patch:
        return
    retained = patch.pop(_RETAIN_KEYS)
    written = (k for k, v in patch.items() if v is not None and not k.startswith((_DELETE_FROM, _SET_ORDER)))
    if not isinstance(retained, list) or not all(k in retained for k in written):
        raise BadRequest("invalid patch format of retainKeys")
    for key in [k for k in original if k not in retained]:
        del original[key]


def _put(target: Tree, key: str, value: JSON) -> None:
    """Take what the patch says where there is nothing to merge with: without directives, and without nulls."""
    kept, kept_value = _without_directives(value)
    if kept:
        target[key] = kept_value
    else:
        target.pop(key, None)


def _without_directives(value: JSON) -> tuple[bool, JSON]:
    """Whether a value is kept at all (a map with a `$patch` is not), and what is left of it."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return False, None
        members = {k: _without_directives(v) for k, v in value.items() if v is not None}
        return True, {k: v for k, (kept, v) in members.items() if kept}
    if isinstance(value, list):
        return True, [v for kept, v in map(_without_directives, value) if kept]
    return True, value


def _merge_member(original: Tree, patch: Tree, shape: Shape | None, key: str) -> Tree:
    field = _field(shape, key)
    if field is not None and "replace" in field.strategies:
        return patch
    inner = field.shape if field is not None else _element(shape)
    return _merge_map(original, patch, inner)


def _field(shape: Shape | None, key: str) -> Field | None:
    return shape.fields.get(key) if shape is not None and shape.form is Form.STRUCT else None


def _element(shape: Shape | None) -> Shape | None:
    return shape.element if shape is not None else None


# --- lists ---


def _merges(field: Field | None) -> bool:
    return field is not None and "merge" in field.strategies


def _merge_list(original: list[Any], patch: list[Any], field: Field | None, *, deletes: bool = False) -> list[Any]:
    if field is None or not _merges(field):
        return _without_directives(patch)[1] or []
    if not original and not patch:
        return original
    if not _holds_maps(original, patch):
        if deletes:
            gone = set(patch)
            return [v for v in original if v not in gone]
        merged = list(dict.fromkeys((*original, *patch)))
        return _ordered(merged, patch, original, _hashable)
    key = field.merge_key
    if not key:
        raise BadRequest(f"cannot merge lists without merge key for {field.wire}")
    standing, changes = _apply_element_directives(original, patch, key)
    before = list(standing)
    merged = _merge_elements(standing, changes, key, field.shape.element)
    return _ordered(merged, changes, before, _by_key(key))


def _holds_maps(*lists: list[Any]) -> bool:
    """Whether the elements are maps. All must be of one type, and none a list."""
    types = {type(v) for items in lists for v in items}
    if list in types:
        raise BadRequest("lists of lists are not supported")
    if dict in types and len(types) > 1:
        raise BadRequest("list element types are not identical")
    return dict in types


def _hashable(value: JSON) -> Hashable:
    """Something equal to what stands for an equal value: lists are long, and are gone through once only."""
    return value if not isinstance(value, dict | list) else ("", msgspec.json.encode(value, order="deterministic"))


def _by_key(key: str) -> Callable[[Any], Hashable]:
    def read(item: Any) -> Hashable:
        if not isinstance(item, dict) or key not in item:
            raise BadRequest(f"map: {go_format(item)} does not contain declared merge key: {key}")
        return _hashable(item[key])

    return read


def _apply_element_directives(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The list without the elements that the patch deletes, and the patch without directives."""
    changes = [e for e in patch if _DIRECTIVE not in e]
    replaced = False
    identify = _by_key(key)
    gone: set[Hashable] = set()
    for element in patch:
        match element.get(_DIRECTIVE):
            case None if _DIRECTIVE not in element:
                pass
            case "delete":
                gone.add(identify(element))
            case "replace":
                replaced = True
            case "merge":
                raise BadRequest("merging lists cannot yet be specified in the patch")
            case directive:
                raise _unknown_directive(directive, element)
    if gone:
        original = [e for e in original if _hashable(e.get(key)) not in gone]
    return (changes, []) if replaced else (original, changes)


def _merge_elements(original: list[Any], patch: list[Any], key: str, shape: Shape | None) -> list[Any]:
    identify = _by_key(key)
    merged = list(original)
    places: dict[Hashable, int] = {}
    for i, element in enumerate(merged):
        if key in element:
            places.setdefault(_hashable(element[key]), i)
    for element in patch:
        at = places.setdefault(identify(element), len(merged))
        if at == len(merged):
            # No directive is left in it, so that it is kept.
            merged.append(_without_directives(element)[1])
        else:
            merged[at] = _merge_map(merged[at], dict(element), shape)
    return merged


def _ordered(
    merged: list[Any], order: list[Any], original: list[Any], identify: Callable[[Any], Hashable]
) -> list[Any]:
    """What `order` names comes in that order, the rest as in `original`; between the two, `original` decides."""
    wanted, before = _places(order, identify), _places(original, identify)
    last = len(before)
    named: list[Any] = []
    rest: list[Any] = []
    for element in merged:
        (named if identify(element) in wanted else rest).append(element)
    named.sort(key=lambda e: wanted[identify(e)])
    rest.sort(key=lambda e: before.get(identify(e), last))
    result: list[Any] = []
    i = j = 0
    while i < len(named) and j < len(rest):
        if before.get(identify(rest[j]), last) < before.get(identify(named[i]), -1):
            result.append(rest[j])
            j += 1
        else:
            result.append(named[i])
            i += 1
    return [*result, *named[i:], *rest[j:]]


def _places(items: list[Any], identify: Callable[[Any], Hashable]) -> dict[Hashable, int]:
    """Where each stands first."""
    places: dict[Hashable, int] = {}
    for item in items:
        places.setdefault(identify(item), len(places))
    return places


# --- $setElementOrder ---


def _apply_orders(original: Tree, patch: Tree, shape: Shape | None) -> None:
    """Merge each list that has an order in the patch, put it in order, and take both out of the patch."""
    for name in [k for k in patch if k.startswith(_SET_ORDER)]:
        order = patch.pop(name)
        key = name.removeprefix(_SET_ORDER)
        field = _field(shape, key)
        standing, changes = original.get(key), patch.get(key)
        for items in (order, *(v for v in (standing, changes) if v is not None)):
            if not isinstance(items, list):
                raise BadRequest("invalid patch format of setElementOrder list")
        merge_key = field.merge_key if field is not None else ""
        _check_order(changes or [], order, merge_key)
        if standing is None and changes is None:
            continue
        if standing is None:
            merged = _without_directives(changes)[1]
        elif changes is None:
            merged = standing
        else:
            merged = _merge_list(list(standing), changes, field)
        identify = _by_key(merge_key) if merge_key else _hashable
        original[key] = _ordered(merged, order, standing or [], identify)
        patch.pop(key, None)


def _check_order(changes: list[Any], order: list[Any], merge_key: str) -> None:
    """What the patch changes must come in the order that it sets; what it deletes need not."""
    identify = _by_key(merge_key) if merge_key else _hashable
    kept = [e for e in changes if not (merge_key and isinstance(e, dict) and e.get(_DIRECTIVE) == "delete")]
    at = 0
    for element in order:
        if at < len(kept) and identify(kept[at]) == identify(element):
            at += 1
    if at < len(kept):
        shown, wanted = go_format(changes), go_format(order)
        raise BadRequest(f"The order in patch list:\n{shown}\n doesn't match $setElementOrder list:\n{wanted}\n")
