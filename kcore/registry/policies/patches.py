"""The types that mutations are written in: `Object{spec: Object.spec{...}}` and `JSONPatch{op: ..., path: ...}`.

Objects have whatever fields are written; that each stands where its type says is checked when it has been made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from kcore.cel.errors import EvaluationError
from kcore.cel.types import DYN, STRING, Field, ObjectType, Type, list_of
from kcore.cel.values import Duration, Optional, Timestamp
from kcore.registry.patching.json_patch import Operation

__all__ = ["JSON_PATCHES", "OBJECT", "find_patch_type", "operations_of", "tree_of"]


class _AnyField(Mapping[str, Field]):
    """Every name is a field, of which nothing is known."""

    def __getitem__(self, name: str) -> Field:
        return Field(DYN, name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Object(dict[str, Any]):
    """A value of an `Object...` type, which it remembers."""

    def __init__(self, fields: Mapping[str, Any], cel_type: Type) -> None:
        super().__init__(fields)
        self.cel_type = cel_type


class _Patch(dict[str, Any]):
    cel_type: ClassVar[Type]


def _object_type(name: str) -> ObjectType:
    made = ObjectType.named(name, _AnyField(), lambda fields: _Object(fields, made))
    return made


OBJECT = _object_type("Object")
JSON_PATCH = ObjectType.named(
    "JSONPatch",
    {"op": Field(STRING), "path": Field(STRING), "from": Field(STRING), "value": Field(DYN)},
    _Patch,
)
_Patch.cel_type = JSON_PATCH
JSON_PATCHES = list_of(JSON_PATCH)


def find_patch_type(name: str) -> Type | None:
    if name == "Object":
        return OBJECT
    if name == "JSONPatch":
        return JSON_PATCH
    return _object_type(name) if name.startswith("Object.") else None


def operations_of(patches: Any) -> tuple[Operation, ...]:
    """The operations of a JSON patch that an expression made. Raises EvaluationError."""
    found = []
    for patch in patches:
        if not isinstance(patch, _Patch):
            raise EvaluationError("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
        value = tree_of(patch["value"]) if "value" in patch else None
        found.append(Operation(patch.get("op", ""), patch.get("path", ""), patch.get("from"), value))
    return tuple(found)


def tree_of(value: Any) -> Any:
    """A value as JSON. Raises EvaluationError where it is none, or an object stands at a field of another name."""
    if isinstance(value, _Object):
        _check_names(value, value.cel_type.name)
    return _json(value)


def _check_names(value: Mapping[str, Any], path: str) -> None:
    for field, held in value.items():
        for item in held if isinstance(held, list) else (held,):
            if isinstance(item, _Object):
                expected = f"{path}.{field}"
                if item.cel_type.name != expected:
                    got = item.cel_type.name
                    why = "which matches field name path from root Object type"
                    raise EvaluationError(f'type mismatch: unexpected type name "{got}", expected "{expected}", {why}')
                _check_names(item, expected)


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {key: _json(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, Optional):
        return _json(value.value) if value.present else None
    if isinstance(value, Timestamp | Duration):
        from kcore.cel.conversions import to_string

        return to_string(value)
    raise EvaluationError("JSONPath valueExpression evaluated to a type that could not marshal to JSON")
