"""Which of several schemas a value comes closest to, where it fits none: its errors are the ones that are told.

go-openapi, which upstream runs, counts for each schema the checks that apply to the value, and how far they get; the
first of those with most is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from kcore.api.formats import FORMATS
from kcore.registry.custom.schema import Schema
from kcore.registry.custom.value_types import mistyped

__all__ = ["closest"]

_Fits: TypeAlias = Callable[[Any, Schema], bool]
# Of any value: that there is an end, that it was looked for anyOf and its like (which counts twice), and for an enum.
_ALWAYS = 4


def closest(value: Any, schemas: Sequence[Schema], fits: _Fits) -> int:
    """The place of the schema."""
    counts = [_count(value, schema, fits) for schema in schemas]
    return counts.index(max(counts))


def _count(value: Any, schema: Schema, fits: _Fits) -> int:
    typed = int(mistyped(value, schema) is None) if schema.types or schema.format else 0
    if value is None:
        return typed
    count = typed + bool(schema.types or schema.format) + _judged(value, schema, fits) + _ALWAYS
    if isinstance(value, str):
        return count + 1 + (schema.format in FORMATS)
    if isinstance(value, bool):
        return count
    if isinstance(value, int | float):
        return count + 2
    if isinstance(value, list):
        return count + 2 + (sum(_count(item, schema.items, fits) for item in value) if schema.items else 0)
    return count + 1 + _in_object(value, schema, fits)


def _judged(value: Any, schema: Schema, fits: _Fits) -> int:
    count = sum(_count(value, each, fits) for each in schema.all_of)
    if schema.any_of:
        fitting = [each for each in schema.any_of if fits(value, each)][:1]
        count += max(_count(value, each, fits) for each in fitting or schema.any_of)
    if schema.one_of:
        fitting = [each for each in schema.one_of if fits(value, each)]
        if len(fitting) < 2:
            count += max(_count(value, each, fits) for each in fitting or schema.one_of)
    return count


def _in_object(value: dict[str, Any], schema: Schema, fits: _Fits) -> int:
    if schema.min_properties is not None and len(value) < schema.min_properties:
        return 0
    if schema.max_properties is not None and len(value) > schema.max_properties:
        return 0
    count = 0
    for key, item in value.items():
        child = schema.properties.get(key, schema.below)
        count += _count(item, child, fits) if child is not None else 0
    return count
