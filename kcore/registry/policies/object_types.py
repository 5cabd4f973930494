"""The types of objects as expressions see them, for those who can say which kind an object will be.

Evaluation needs none of this: a policy is about many kinds. Fields are made as they are asked for, as some types hold
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.schema import Struct
from kcore.api.shape import Form, Shape, fields_of
from kcore.cel.types import BOOL, BYTES, DOUBLE, DYN, INT, STRING, TIMESTAMP, Field, ObjectType, Type, list_of, map_of

__all__ = ["type_of_kind"]

_PLAIN = {
    Form.STRING: STRING,
    Form.INT32: INT,
    Form.INT64: INT,
    Form.FLOAT: DOUBLE,
    Form.BOOL: BOOL,
    Form.TIME: TIMESTAMP,
    Form.MICRO_TIME: TIMESTAMP,
    Form.BASE64: BYTES,
}


class _Fields(Mapping[str, Field]):
    def __init__(self, type_: type[Struct]) -> None:
        self._shapes = {wire: field.shape for wire, field in fields_of(type_).items()}

    def __getitem__(self, name: str) -> Field:
        return Field(_type(self._shapes[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


@cache
def _struct(type_: type[Struct]) -> ObjectType:
    return ObjectType.named(type_.__name__, _Fields(type_))


def _type(shape: Shape) -> Type:
    """What may be one thing or another (quantities, ports, JSON) is dyn."""
    if shape.form is Form.STRUCT and shape.type is not None:
        return _struct(shape.type)
    if shape.form is Form.LIST and shape.element is not None:
        return list_of(_type(shape.element))
    if shape.form is Form.MAP and shape.element is not None:
        return map_of(STRING, _type(shape.element))
    return _PLAIN.get(shape.form, DYN)


def type_of_kind(kind: Kind) -> Type | None:
    """None: nothing is known of its objects."""
    if kind.definition is None:
        built_in: type[Struct] = kind.type
        return _struct(built_in)
    from kcore.registry.custom.rule_types import declare

    version = next(v for v in kind.definition.spec.versions if v.name == kind.version)
    schema = version.schema.open_apiv3_schema if version.schema is not None else None
    declared = declare(schema, kind.name, root=True) if schema is not None else None
    if declared is None or not isinstance(declared.type, ObjectType):
        return None
    return ObjectType.named(kind.name, {**declared.type.fields, "metadata": Field(_struct(ObjectMeta))})
