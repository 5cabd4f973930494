"""What the scale of a custom resource reads must be what it takes it for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcore.api.apiextensions_v1 import CustomResourceDefinitionVersion
from kcore.api.field import FieldError, Path, invalid
from kcore.registry.custom.json_path import lookup, simple_path
from kcore.registry.patching.go_format import go_format

__all__ = ["scale_errors"]

_INT32_MAX = 2**31 - 1
_GO_TYPES = {
    bool: "bool", str: "string", int: "int64", float: "float64", dict: "map[string]interface {}",
    list: "[]interface {}",
}  # fmt: skip


def scale_errors(
    version: CustomResourceDefinitionVersion, content: Any, *, status: bool = False
) -> Iterator[FieldError]:
    """`status`: only the status is written, and so only what stands there is looked at."""
    scale = version.subresources.scale if version.subresources is not None else None
    if scale is None:
        return
    if not status:
        yield from _count_errors(content, scale.spec_replicas_path)
    yield from _count_errors(content, scale.status_replicas_path)
    if selector := scale.label_selector_path:
        value = lookup(content, simple_path(selector))
        if value is not None and not isinstance(value, str):
            yield invalid(Path(selector), "", _misread(selector, value, "string"))


def _count_errors(content: Any, path: str) -> Iterator[FieldError]:
    value = lookup(content, simple_path(path))
    if value is None:
        return
    if type(value) is not int:
        yield invalid(Path(path), 0, _misread(path, value, "int64"))
    elif value < 0:
        yield invalid(Path(path), value, "should be a non-negative integer")
    elif value > _INT32_MAX:
        yield invalid(Path(path), value, f"should be less than or equal to {_INT32_MAX}")


def _misread(path: str, value: Any, wanted: str) -> str:
    return f"{path} accessor error: {go_format(value)} is of the type {_GO_TYPES[type(value)]}, expected {wanted}"
