"""JSON patch (RFC 6902), with the liberties of the library that upstream uses (evanphx/json-patch v4).

It replaces members that are not there, counts negative indexes from the end, ignores what stands before the first
slash of a pointer, and takes an absent member for null in a test.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, NamedTuple

import msgspec

from kcore.api.decoding import json_type
from kcore.api.errors import BadRequest, Invalid, RequestEntityTooLarge
from kcore.api.json_syntax import JSONSyntaxError, RepeatedKeys, parse_json, plain, too_deep
from kcore.api.meta_v1 import StatusDetails
from kcore.api.schema import JSON

__all__ = ["Operation", "apply_operations", "parse_operations"]

_OPERATIONS_MAX = 10_000
_COPY_BYTES_MAX = 3 * 1024 * 1024
_TEXTS = ("op", "path", "from")
_INDEX = re.compile(r"[+-]?[0-9]{1,18}").fullmatch


class Operation(NamedTuple):
    """One step. `source` is the member `from`; `path` is None where the document has none."""

    op: str
    path: str | None
    source: str | None = None
    value: JSON = None


class _DoesNotApply(Exception):
    """Upstream answers all reasons with the same sentence."""


def parse_operations(body: bytes) -> tuple[tuple[Operation, ...], tuple[str, ...]]:
    """The operations of a patch document, and what strict field validation finds in it. Raises ApiError."""
    try:
        tree = parse_json(body)
    except JSONSyntaxError as e:
        raise _undecodable(str(e)) from None
    if tree is None:
        return (), ()
    if not isinstance(tree, list):
        raise _undecodable(f"json: cannot unmarshal {json_type(tree)} into Go value of type []handlers.jsonPatchOp")
    if len(tree) > _OPERATIONS_MAX:
        words = f"The allowed maximum operations in a JSON patch is {_OPERATIONS_MAX}, got {len(tree)}"
        raise RequestEntityTooLarge(f"Request entity too large: {words}")
    findings = dict.fromkeys(f for i, item in enumerate(tree) for f in _findings(i, item))
    return tuple(map(_operation, tree)), tuple(findings)


def _undecodable(why: str) -> BadRequest:
    return BadRequest(f"error decoding patch: {why}")


def _findings(index: int, item: JSON) -> list[str]:
    if not isinstance(item, dict):
        return []
    found, seen = [], set()
    for key, _ in item.pairs if isinstance(item, RepeatedKeys) else item.items():
        if key not in (*_TEXTS, "value"):
            found.append(f'json patch unknown field "[{index}].{key}"')
        elif key in seen:
            found.append(f'json patch duplicate field "[{index}].{key}"')
        seen.add(key)
    return found


def _operation(item: JSON) -> Operation:
    if item is None:
        return Operation("", None)
    if not isinstance(item, dict):
        raise _undecodable(f"json: cannot unmarshal {json_type(item)} into Go value of type handlers.jsonPatchOp")
    for name in _TEXTS:
        value = item.get(name)
        if value is not None and not isinstance(value, str):
            into = f"Go struct field jsonPatchOp.{name} of type string"
            raise _undecodable(f"json: cannot unmarshal {json_type(value)} into {into}")
    try:
        value = plain(item.get("value"))
    except JSONSyntaxError as e:
        raise _undecodable(str(e)) from None
    return Operation(item.get("op") or "", item.get("path"), item.get("from"), value)


def apply_operations(tree: dict[str, JSON], operations: tuple[Operation, ...]) -> dict[str, JSON]:
    """Change the tree in place, and answer it. Raises ApiError where an operation does not apply."""
    document = _Document(tree)
    try:
        for operation in operations:
            document.apply(operation)
        if too_deep(msgspec.json.encode(tree)):
            raise _DoesNotApply
    except (_DoesNotApply, RecursionError):
        # A generic answer: upstream keeps the reason to itself.
        raise Invalid("the server rejected our request due to an error in our request", StatusDetails()) from None
    return document.sorted()


class _Document:
    """A tree being patched. Maps that were opened come out sorted, as from Go."""

    def __init__(self, tree: dict[str, JSON]) -> None:
        self._tree = tree
        self._opened: dict[int, dict[str, JSON]] = {id(tree): tree}
        self._copied = 0

    def apply(self, operation: Operation) -> None:
        match operation.op:
            case "add":
                _add(*self._find(operation.path), deepcopy(operation.value))
            case "remove":
                _remove(*self._find(operation.path))
            case "replace":
                container, key = self._find(operation.path)
                _get(container, key)
                _set(container, key, deepcopy(operation.value))
            case "move":
                container, key = self._find(operation.source)
                value = _get(container, key)
                _remove(container, key)
                _add(*self._find(operation.path), value)
            case "copy":
                written = msgspec.json.encode(_get(*self._find(operation.source)))
                self._count(len(written))
                _add(*self._find(operation.path), msgspec.json.decode(written))
            case "test":
                if not _equal(_get(*self._find(operation.path)), operation.value):
                    raise _DoesNotApply
            case _:
                raise _DoesNotApply

    def sorted(self) -> dict[str, JSON]:
        for opened in self._opened.values():
            items = sorted(opened.items())
            opened.clear()
            opened.update(items)
        return self._tree

    def _find(self, pointer: str | None) -> tuple[Any, str]:
        """The map or list that holds what a pointer names, and its key there."""
        _, *parts = (pointer or "").split("/")
        if not parts:
            raise _DoesNotApply
        container: JSON = self._tree
        for part in parts[:-1]:
            container = _get(container, _unescape(part))
            if isinstance(container, dict):
                self._opened[id(container)] = container
            elif not isinstance(container, list):
                raise _DoesNotApply
        return container, _unescape(parts[-1])

    def _count(self, size: int) -> None:
        self._copied += size
        if self._copied > _COPY_BYTES_MAX:
            words = (
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied}, exceeding the limit {_COPY_BYTES_MAX}"
            )
            raise RequestEntityTooLarge(f"Request entity too large: {words}")


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _index(key: str, size: int) -> int:
    """A place among `size`, from the end if negative."""
    if not _INDEX(key):
        raise _DoesNotApply
    index = int(key)
    if not -size <= index < size:
        raise _DoesNotApply
    return index % size


def _get(container: Any, key: str) -> JSON:
    return container.get(key) if isinstance(container, dict) else container[_index(key, len(container))]


def _set(container: Any, key: str, value: JSON) -> None:
    container[key if isinstance(container, dict) else _index(key, len(container))] = value


def _add(container: Any, key: str, value: JSON) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        container.insert(_index(key, len(container) + 1), value)


def _remove(container: Any, key: str) -> None:
    if not isinstance(container, dict):
        del container[_index(key, len(container))]
    elif key in container:
        del container[key]
    else:
        raise _DoesNotApply


def _equal(a: JSON, b: JSON) -> bool:
    """Equality of JSON values: unlike Python, a boolean is no number."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
