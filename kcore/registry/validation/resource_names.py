"""Names and lists of the resource.k8s.io group: what claims, classes, slices and statuses have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

from kcore.api.field import FieldError, Path, duplicate, invalid, required, too_long, too_many
from kcore.api.names import c_identifier, dns1123_label, dns1123_subdomain, label_key
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import check

__all__ = [
    "each",
    "unique",
    "validate_binding_conditions",
    "validate_label",
    "validate_parameters",
    "validate_pool_name",
    "validate_qualified",
]

_POOL_NAME_MAX = 253
_IDENTIFIER_MAX = 32
_CONDITIONS_MAX = 4
_PARAMETERS_MAX = 10 * 1024

Item = TypeVar("Item")


def each(
    items: Sequence[Item], limit: int | None, rule: Callable[[Item, Path], Iterator[FieldError]], path: Path
) -> Iterator[FieldError]:
    """What is wrong with the items, and then that there are too many."""
    for i, item in enumerate(items):
        yield from rule(item, path @ i)
    if limit is not None and len(items) > limit:
        yield too_many(path, len(items), limit)


def unique(
    keys: Sequence[Hashable], path: Path, field: str = "", shown: Callable[[Any], Any] = lambda key: key
) -> Iterator[FieldError]:
    """`field`: where in an item its key is."""
    for i, key in enumerate(keys):
        if key in keys[:i]:
            yield duplicate(path @ i / field if field else path @ i, shown(key))


def validate_label(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    else:
        yield from check(path, name, dns1123_label)


def validate_pool_name(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    if len(name) > _POOL_NAME_MAX:
        yield too_long(path, _POOL_NAME_MAX)
    for part in name.split("/"):
        yield from check(path, part, dns1123_subdomain)


def validate_qualified(name: str, path: Path) -> Iterator[FieldError]:
    """`name` or `domain/name`, where the name is a C identifier. Upstream has no rule for more than one slash."""
    parts = name.split("/")
    if not name:
        yield required(path, "name required")
    elif len(parts) == 1:
        yield from _validate_identifier(name, path)
    elif len(parts) == 2:
        domain, rest = parts
        if not domain:
            yield required(path, "the domain must not be empty")
        else:
            yield from driver_name(domain, path)
        if not rest:
            yield required(path, "the name must not be empty")
        else:
            yield from _validate_identifier(rest, path)


def _validate_identifier(name: str, path: Path) -> Iterator[FieldError]:
    if len(name) > _IDENTIFIER_MAX:
        yield too_long(path, _IDENTIFIER_MAX)
    yield from check(path, name, c_identifier)


def validate_parameters(parameters: Any, path: Path) -> Iterator[FieldError]:
    if parameters is None:
        yield required(path)
    elif len(json.dumps(parameters, separators=(",", ":"), ensure_ascii=False).encode()) > _PARAMETERS_MAX:
        yield too_long(path, _PARAMETERS_MAX)
    elif not isinstance(parameters, dict):
        yield invalid(path, "<value omitted>", "must be a valid JSON object")


def validate_binding_conditions(conditions: Sequence[str], failures: Sequence[str], path: Path) -> Iterator[FieldError]:
    """Conditions that a pod waits for, and those that end the waiting: neither goes without the other (KEP-5007)."""
    ready, failed = path / "bindingConditions", path / "bindingFailureConditions"
    yield from each(conditions, _CONDITIONS_MAX, lambda name, at: check(at, name, label_key), ready)
    yield from each(failures, _CONDITIONS_MAX, lambda name, at: check(at, name, label_key), failed)
    yield from unique(conditions, ready)
    for i, name in enumerate(failures):
        if name in failures[:i]:
            yield duplicate(failed @ i, name)
        if name in conditions:
            yield invalid(failed @ i, name, "bindingFailureConditions must not overlap with bindingConditions")
    if failures and not conditions:
        yield invalid(ready, None, "bindingConditions are required to use bindingFailureConditions")
    if conditions and not failures:
        yield invalid(failed, None, "bindingFailureConditions are required to use bindingConditions")
