"""Small pods and workloads to vary in tables: documents in, decoded and defaulted objects out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from kcore.api.field import FieldError

T = TypeVar("T")

APP: Mapping[str, Any] = {"name": "app", "image": "registry.example/app:1.0"}
LABELS: Mapping[str, str] = {"app": "x"}


def pod(container: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod whose first container and spec have what is given besides."""
    return {
        "metadata": {"name": "p", "namespace": "ns"},
        "spec": {"containers": [{**APP, **(container or {})}], **spec},
    }


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [APP], **spec}}


def workload(template_spec: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "w", "namespace": "ns"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template(**(template_spec or {})), **spec},
    }


def made(document: Mapping[str, Any], type_: type[T], default: Callable[[T], None]) -> T:
    obj = msgspec.json.decode(msgspec.json.encode(document), type=type_)
    default(obj)
    return obj


def tree(obj: Any) -> Any:
    """An object as a client sees it."""
    return msgspec.json.decode(msgspec.json.encode(obj))


def lines(errors: Iterable[FieldError]) -> list[str]:
    return [str(e) for e in errors]
