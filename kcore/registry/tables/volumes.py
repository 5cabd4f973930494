"""Tables of persistent volumes and their claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kcore.api import core_v1
from kcore.registry.tables.printer import AGE, NAME, UNSET, Column, Printer, age, wide

__all__ = ["VOLUMES"]

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(modes: Iterable[str]) -> str:
    given = set(modes)
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def _class(o: core_v1.PersistentVolume | core_v1.PersistentVolumeClaim) -> str:
    return o.metadata.annotations.get("volume.beta.kubernetes.io/storage-class") or o.spec.storage_class_name or ""


def _volume(o: core_v1.PersistentVolume, now: float) -> Sequence[Any]:
    spec, claim = o.spec, o.spec.claim_ref
    return (
        o.metadata.name,
        spec.capacity.get("storage", "0"),
        _modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        "Terminating" if o.metadata.deletion_timestamp else o.status.phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        _class(o),
        spec.volume_attributes_class_name or UNSET,
        o.status.reason,
        age(o, now),
        spec.volume_mode or UNSET,
    )


def _claim(o: core_v1.PersistentVolumeClaim, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    bound = bool(spec.volume_name)
    return (
        o.metadata.name,
        "Terminating" if o.metadata.deletion_timestamp else status.phase,
        spec.volume_name,
        status.capacity.get("storage", "0") if bound else "",
        _modes(status.access_modes) if bound else "",
        _class(o),
        spec.volume_attributes_class_name or UNSET,
        age(o, now),
        spec.volume_mode or UNSET,
    )


VOLUMES: Mapping[type[Any], Printer] = {
    core_v1.PersistentVolume: Printer(
        (
            NAME,
            Column("Capacity", "How much fits."),
            Column("Access Modes", "How it can be mounted."),
            Column("Reclaim Policy", "What becomes of it once released."),
            Column("Status", "Its phase."),
            Column("Claim", "The claim that it is bound to."),
            Column("StorageClass", "The class that it belongs to."),
            Column("VolumeAttributesClass", "The class of its attributes."),
            Column("Reason", "Why it is in this phase."),
            AGE,
            wide("VolumeMode", "Whether it is a file system or a block device."),
        ),
        _volume,
    ),
    core_v1.PersistentVolumeClaim: Printer(
        (
            NAME,
            Column("Status", "Its phase."),
            Column("Volume", "The volume that it is bound to."),
            Column("Capacity", "How much the volume holds."),
            Column("Access Modes", "How the volume can be mounted."),
            Column("StorageClass", "The class that is asked for."),
            Column("VolumeAttributesClass", "The class of attributes that is asked for."),
            AGE,
            wide("VolumeMode", "Whether a file system or a block device is asked for."),
        ),
        _claim,
    ),
}
