"""Tables: what `kubectl get` shows of objects, as the API server makes it (KEP-1594).

Each module holds the printers of one group or family: columns, and how an object becomes the cells of a row. Kinds
without a printer show their name and when they were created.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from kcore.api.kind import Kind
from kcore.registry.custom.columns import custom_printer
from kcore.registry.tables.apps import APPS
from kcore.registry.tables.autoscaling import AUTOSCALING
from kcore.registry.tables.batch import BATCH
from kcore.registry.tables.control_plane import CONTROL_PLANE
from kcore.registry.tables.core import CORE
from kcore.registry.tables.devices import DEVICES
from kcore.registry.tables.events import EVENTS
from kcore.registry.tables.networking import NETWORKING
from kcore.registry.tables.partial import partial_metadata
from kcore.registry.tables.policies import POLICIES
from kcore.registry.tables.printer import NAME, Column, Printer
from kcore.registry.tables.rbac import RBAC
from kcore.registry.tables.storage import STORAGE
from kcore.registry.tables.volumes import VOLUMES
from kcore.store.store import Record

__all__ = ["INCLUDE_OBJECT", "partial_metadata", "printer_of", "table"]

INCLUDE_OBJECT = ("None", "Metadata", "Object")
"""What a row may carry of its object."""


def _default_row(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.metadata.creation_timestamp


_DEFAULT = Printer((NAME, Column("Created At", "When the object was created.", "date")), _default_row)
_PRINTERS: Mapping[type[Any], Printer] = {
    printed: printer
    for group in (
        *(CORE, VOLUMES, EVENTS, APPS, BATCH, AUTOSCALING, NETWORKING, RBAC, STORAGE),
        *(POLICIES, CONTROL_PLANE, DEVICES),
    )
    for printed, printer in group.items()
}
_encode = msgspec.json.Encoder().encode


def printer_of(kind: Kind) -> Printer:
    if kind.definition is not None:
        return _custom_printer(kind.definition.metadata.resource_version, kind)
    return _PRINTERS.get(kind.type, _DEFAULT)


@lru_cache(maxsize=1024)
def _custom_printer(definition_version: str, kind: Kind) -> Printer:
    """Kinds are equal by name alone, so the version of the definition tells one printer from the next."""
    return custom_printer(kind)


def table(
    kind: Kind,
    records: Iterable[Record],
    *,
    now: float,
    include_object: str = "Metadata",
    version: str = "v1",
    metadata: Mapping[str, Any] | None = None,
    columns: bool = True,
) -> dict[str, Any]:
    """A meta.k8s.io Table, ready to be encoded. In a watch only the first one has its column definitions."""
    printer = printer_of(kind)
    if (order := printer.order) is not None:
        records = sorted(records, key=lambda record: order(record.obj))
    found: dict[str, Any] = {"kind": "Table", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata or {}}
    found["columnDefinitions"] = _definitions(printer) if columns else None
    found["rows"] = [_row(kind, printer, record, now, include_object, version) for record in records]
    return found


def _definitions(printer: Printer) -> list[dict[str, Any]]:
    return [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in printer.columns
    ]


def _row(kind: Kind, printer: Printer, record: Record, now: float, include: str, version: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.row(record.obj, now)}
    if printer.conditions is not None and (conditions := printer.conditions(record.obj)):
        row["conditions"] = conditions
    if include == "Object":
        row["object"] = msgspec.Raw(kind.type_meta + record.data[1:])
    elif include == "None":
        row["object"] = None
    else:
        opening = f'{{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/{version}","metadata":'.encode()
        row["object"] = msgspec.Raw(b"".join((opening, _encode(partial_metadata(record.obj)), b"}")))
    return row
