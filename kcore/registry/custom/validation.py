"""Whether an object fits its schema, said in the words and the order of go-openapi's validator, which upstream runs.

On an update, what is as it was is not judged again (ratcheting, KEP-4008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from kcore.api.field import FieldError, Path, invalid, not_supported, required, too_long, too_many, type_invalid
from kcore.api.formats import FORMATS
from kcore.kit.regex import Pattern, PatternError
from kcore.registry.custom.alternatives import closest
from kcore.registry.custom.schema import Schema
from kcore.registry.custom.value_types import mistyped

__all__ = ["ABSENT", "validate"]

ABSENT: Any = object()
"""No old value to compare with."""

_INT64 = range(-(2**63), 2**63)
_RANGES = {"int32": range(-(2**31), 2**31), "uint32": range(2**32), "uint64": range(2**64)}


def validate(tree: Any, schema: Schema, *, base: str = "", name: str = "", old: Any = ABSENT) -> list[FieldError]:
    """Broken rules. Messages show `name` and what is below it; fields are told below `base`."""
    found: list[FieldError] = []
    _Walk(base, found).value(tree, schema, name, old)
    return found


class _Walk:
    """One walk; errors go to `found`."""

    def __init__(self, base: str, found: list[FieldError]) -> None:
        self.base = base
        self.found = found

    def value(self, value: Any, schema: Schema, name: str, old: Any) -> None:
        if old is not ABSENT and value == old and type(value) is type(old):
            return
        self._type(value, schema, name)
        if value is None:
            self._enum(value, schema, name)
            return
        if schema.judges:
            self._logic(value, schema, name, old)
        if isinstance(value, str):
            self._string(value, schema, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(value, schema, name)
        elif isinstance(value, list):
            self._list(value, schema, name, old)
        self._enum(value, schema, name)
        if isinstance(value, dict):
            self._object(value, schema, name, old)

    def add(self, name: str, value: Any, message: str) -> None:
        self.found.append(invalid(self._field(name), value, message))

    def add_nameless(self, message: str) -> None:
        """An error that upstream's validator does not tie to a field."""
        self.found.append(invalid(Path(self.base or "<nil>"), "", message))

    def _field(self, name: str) -> Path:
        if not name:
            return Path(self.base or "<nil>")
        return Path(f"{self.base}.{name}" if self.base else name)

    def _fork(self) -> _Walk:
        return _Walk(self.base, [])

    def _type(self, value: Any, schema: Schema, name: str) -> None:
        if (found := mistyped(value, schema)) is not None:
            wanted, got = found
            self.found.append(type_invalid(self._field(name), got, f'{name} in body must be of type {wanted}: "{got}"'))

    def _logic(self, value: Any, schema: Schema, name: str, old: Any) -> None:
        if schema.any_of:
            self._any_of(value, schema.any_of, name, old)
        if schema.one_of:
            self._one_of(value, schema.one_of, name, old)
        if schema.all_of:
            self._all_of(value, schema.all_of, name, old)
        if schema.not_ is not None and not self._errors(value, schema.not_, name, old):
            self.add_nameless(f'"{name}" must not validate the schema (not)')

    def _errors(self, value: Any, schema: Schema, name: str, old: Any) -> list[FieldError]:
        walk = self._fork()
        walk.value(value, schema, name, old)
        return walk.found

    def _fits(self, value: Any, schema: Schema) -> bool:
        return not self._errors(value, schema, "", ABSENT)

    def _any_of(self, value: Any, schemas: Sequence[Schema], name: str, old: Any) -> None:
        results = []
        for schema in schemas:
            errors = self._errors(value, schema, name, old)
            if not errors:
                return
            results.append(errors)
        self.add_nameless(f'"{name}" must validate at least one schema (anyOf)')
        self._merge(results[closest(value, schemas, self._fits)])

    def _one_of(self, value: Any, schemas: Sequence[Schema], name: str, old: Any) -> None:
        results = [self._errors(value, schema, name, old) for schema in schemas]
        valid = sum(not errors for errors in results)
        if valid == 1:
            return
        why = f"Found {valid} valid alternatives" if valid else "Found none valid"
        self.add_nameless(f'"{name}" must validate one and only one schema (oneOf). {why}')
        if not valid:
            self._merge(results[closest(value, schemas, self._fits)])

    def _all_of(self, value: Any, schemas: Sequence[Schema], name: str, old: Any) -> None:
        results = [self._errors(value, schema, name, old) for schema in schemas]
        for errors in results:
            self._merge(errors)
        valid = sum(not errors for errors in results)
        if valid != len(schemas):
            none = "" if valid else ". None validated"
            self.add_nameless(f'"{name}" must validate all the schemas (allOf){none}')

    def _merge(self, errors: Sequence[FieldError]) -> None:
        """Nothing is told twice."""
        self.found += [error for error in errors if error not in self.found]

    def _string(self, value: str, schema: Schema, name: str) -> None:
        if schema.max_length is not None and len(value) > schema.max_length:
            self.found.append(too_long(self._field(name), schema.max_length))
        if schema.min_length is not None and len(value) < schema.min_length:
            self.add(name, value, f"{name} in body should be at least {schema.min_length} chars long")
        if schema.pattern is not None and not _matches(schema.pattern, value):
            self.add(name, value, f"{name} in body should match '{schema.pattern_text}'")
        check = FORMATS.get(schema.format)
        if check is not None and not check(value):
            message = f'{name} in body must be of type {schema.format}: "{value}"'
            self.found.append(type_invalid(self._field(name), value, message))

    def _number(self, value: int | float, schema: Schema, name: str) -> None:
        type_ = schema.types[0] if schema.types else ""
        if why := _out_of_range(value, type_, schema.format, "Checked", name):
            self.add_nameless(why)
        if schema.multiple_of is not None:
            self._multiple(value, schema.multiple_of, schema, name)
        if schema.minimum is not None:
            limit = self._limit(value, schema.minimum, "Minimum boundary", schema, name)
            if value < limit or (schema.exclusive_minimum and value == limit):
                words = "greater than" if schema.exclusive_minimum else "greater than or equal to"
                self.add(name, _shown(value), f"{name} in body should be {words} {_go_number(limit)}")
        if schema.maximum is not None:
            limit = self._limit(value, schema.maximum, "Maximum boundary", schema, name)
            if value > limit or (schema.exclusive_maximum and value == limit):
                words = "less than" if schema.exclusive_maximum else "less than or equal to"
                self.add(name, _shown(value), f"{name} in body should be {words} {_go_number(limit)}")

    def _limit(self, value: int | float, limit: float, what: str, schema: Schema, name: str) -> int | float:
        """A bound in the type of the value: upstream compares whole numbers as int64."""
        if why := _out_of_range(limit, schema.types[0] if schema.types else "", schema.format, what, name):
            self.add_nameless(why)
            return limit
        return math.trunc(limit) if isinstance(value, int) else limit

    def _multiple(self, value: int | float, factor: float, schema: Schema, name: str) -> None:
        by = self._limit(value, factor, "MultipleOf", schema, name)
        if by <= 0:
            shown = _go_number(by)
            self.add(name, _shown(by), f"factor MultipleOf declared for {name} must be positive: {shown}")
            return
        quotient = value / by
        if isinstance(value, int) and isinstance(by, int):
            exact = value % by == 0
        elif by < 1:
            exact = (1 / by * value).is_integer()
        else:
            exact = quotient.is_integer()
        if not exact:
            self.add(name, _shown(value), f"{name} in body should be a multiple of {_go_number(by)}")

    def _list(self, value: list[Any], schema: Schema, name: str, old: Any) -> None:
        items = schema.items
        if items is not None:
            before = _old_items(schema, old)
            for i, item in enumerate(value):
                self.value(
                    item, items, f"{name}[{i}]", before.get(_identity(schema, item), ABSENT) if before else ABSENT
                )
        if schema.min_items is not None and len(value) < schema.min_items:
            self.add(name, len(value), f"{name} in body should have at least {schema.min_items} items")
        if schema.max_items is not None and len(value) > schema.max_items:
            self.found.append(too_many(self._field(name), len(value), schema.max_items))
        if schema.unique_items and any(item in value[:i] for i, item in enumerate(value)):
            self.add(name, "", f"{name} in body shouldn't contain duplicates")

    def _enum(self, value: Any, schema: Schema, name: str) -> None:
        if schema.enum is None or any(_same(value, each) for each in schema.enum):
            return
        words = [each if isinstance(each, str) else _json(each) for each in schema.enum]
        self.found.append(not_supported(self._field(name), value, words))

    def _object(self, value: dict[str, Any], schema: Schema, name: str, old: Any) -> None:
        count = len(value)
        if schema.min_properties is not None and count < schema.min_properties:
            self.add(name, count, f"{name} in body should have at least {schema.min_properties} properties")
            return
        if schema.max_properties is not None and count > schema.max_properties:
            self.found.append(too_many(self._field(name), count, schema.max_properties))
            return
        before = old if isinstance(old, dict) else {}
        properties, below = schema.properties, schema.below
        if below is not None:
            for key, item in value.items():
                if key not in properties:
                    self.value(item, below, f"{name}.{key}" if name else key, before.get(key, ABSENT))
        for key, child in properties.items():
            if key in value:
                self.value(value[key], child, f"{name}.{key}" if name else key, before.get(key, ABSENT))
        for key in schema.required:
            if key not in value:
                self.found.append(required(self._field(f"{name}.{key}" if name else key)))


def _matches(pattern: Pattern, value: str) -> bool:
    """A text that is too long to be searched does not match."""
    try:
        return pattern.search(value)
    except PatternError:
        return False


def _out_of_range(value: int | float, type_: str, format_: str, what: str, name: str) -> str:
    if type_ != "integer":
        return ""
    if (isinstance(value, int) or value.is_integer()) and int(value) in _RANGES.get(format_, _INT64):
        return ""
    form = f"with format {format_}" if format_ else "(default format)"
    return f"{what} value must be of type integer {form} in {name}"


def _go_number(value: int | float) -> str:
    """A number as Go's %v prints it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _shown(value: int | float) -> int | float:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _same(value: Any, allowed: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, but not true."""
    return value == allowed and isinstance(value, bool) == isinstance(allowed, bool)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _identity(schema: Schema, item: Any) -> Any:
    if not isinstance(item, dict):
        return None
    return repr([item.get(key) for key in schema.list_keys])


def _old_items(schema: Schema, old: Any) -> dict[Any, Any]:
    """Former elements by their keys: only those of a list that is a map can be told apart."""
    if schema.list_type != "map" or not isinstance(old, list):
        return {}
    return {_identity(schema, item): item for item in old if isinstance(item, dict)}
