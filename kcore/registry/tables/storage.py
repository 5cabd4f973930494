"""Tables of storage.k8s.io."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import storage_v1
from kcore.registry.tables.printer import AGE, NAME, NONE, UNSET, Column, Printer, age

__all__ = ["STORAGE"]

_DEFAULT_MARKS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_DEFAULT_ATTRIBUTES = "volumeattributesclass.alpha.kubernetes.io/is-default-class"


def _storage_class(o: storage_v1.StorageClass, now: float) -> Sequence[Any]:
    default = any(o.metadata.annotations.get(mark) == "true" for mark in _DEFAULT_MARKS)
    return (
        f"{o.metadata.name} (default)" if default else o.metadata.name,
        o.provisioner,
        o.reclaim_policy or "Delete",
        o.volume_binding_mode or UNSET,
        bool(o.allow_volume_expansion),
        age(o, now),
    )


def _attachment(o: storage_v1.VolumeAttachment, now: float) -> Sequence[Any]:
    spec = o.spec
    volume = spec.source.persistent_volume_name or ""
    return o.metadata.name, spec.attacher, volume, spec.node_name, o.status.attached, age(o, now)


def _driver(o: storage_v1.CSIDriver, now: float) -> Sequence[Any]:
    spec = o.spec
    return (
        o.metadata.name,
        True if spec.attach_required is None else spec.attach_required,
        bool(spec.pod_info_on_mount),
        bool(spec.storage_capacity),
        ",".join(r.audience for r in spec.token_requests) or UNSET,
        bool(spec.requires_republish),
        ",".join(spec.volume_lifecycle_modes) or NONE,
        age(o, now),
    )


def _csi_node(o: storage_v1.CSINode, now: float) -> Sequence[Any]:
    return o.metadata.name, len(o.spec.drivers or ()), age(o, now)


def _attributes_class(o: storage_v1.VolumeAttributesClass, now: float) -> Sequence[Any]:
    default = o.metadata.annotations.get(_DEFAULT_ATTRIBUTES) == "true"
    return f"{o.metadata.name} (default)" if default else o.metadata.name, o.driver_name, age(o, now)


STORAGE: Mapping[type[Any], Printer] = {
    storage_v1.StorageClass: Printer(
        (
            NAME,
            Column("Provisioner", "Who makes the volumes."),
            Column("ReclaimPolicy", "What becomes of released volumes."),
            Column("VolumeBindingMode", "When volumes are made and bound."),
            Column("AllowVolumeExpansion", "Whether claims may grow."),
            AGE,
        ),
        _storage_class,
    ),
    storage_v1.VolumeAttachment: Printer(
        (
            NAME,
            Column("Attacher", "Who attaches it.", format="name"),
            Column("PV", "The volume."),
            Column("Node", "The node."),
            Column("Attached", "Whether it is attached.", "boolean"),
            AGE,
        ),
        _attachment,
    ),
    storage_v1.CSIDriver: Printer(
        (
            NAME,
            Column("AttachRequired", "Whether volumes must be attached before they are mounted.", "boolean"),
            Column("PodInfoOnMount", "Whether the driver wants to know the pod.", "boolean"),
            Column("StorageCapacity", "Whether the driver tells how much storage is left.", "boolean"),
            Column("TokenRequests", "For whom the driver wants tokens."),
            Column("RequiresRepublish", "Whether volumes are mounted again and again.", "boolean"),
            Column("Modes", "The lives that volumes can have."),
            AGE,
        ),
        _driver,
    ),
    storage_v1.CSINode: Printer((NAME, Column("Drivers", "How many drivers the node has.", "integer"), AGE), _csi_node),
    storage_v1.VolumeAttributesClass: Printer(
        (NAME, Column("DriverName", "The driver that the attributes are for."), AGE), _attributes_class
    ),
}
