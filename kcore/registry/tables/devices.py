"""Tables of dynamic resource allocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import resource_v1
from kcore.registry.tables.printer import AGE, NAME, Column, Printer, age

__all__ = ["DEVICES"]


def _claim(o: resource_v1.ResourceClaim, now: float) -> Sequence[Any]:
    deleted, status = o.metadata.deletion_timestamp is not None, o.status
    states = ["deleted"] if deleted else []
    if status.allocation is not None:
        states += ["allocated", "reserved"] if status.reserved_for else ["allocated"]
    elif not deleted:
        states.append("pending")
    return o.metadata.name, ",".join(states), age(o, now)


def _slice(o: resource_v1.ResourceSlice, now: float) -> Sequence[Any]:
    return o.metadata.name, o.spec.node_name or "", o.spec.driver, o.spec.pool.name, age(o, now)


def _named(o: resource_v1.DeviceClass | resource_v1.ResourceClaimTemplate, now: float) -> Sequence[Any]:
    return o.metadata.name, age(o, now)


DEVICES: Mapping[type[Any], Printer] = {
    resource_v1.ResourceClaim: Printer((NAME, Column("State", "How far the allocation is."), AGE), _claim),
    resource_v1.ResourceClaimTemplate: Printer((NAME, AGE), _named),
    resource_v1.DeviceClass: Printer((NAME, AGE), _named),
    resource_v1.ResourceSlice: Printer(
        (
            NAME,
            Column("Node", "The node that the devices belong to."),
            Column("Driver", "Who handles the devices."),
            Column("Pool", "The pool that the devices belong to."),
            AGE,
        ),
        _slice,
    ),
}
