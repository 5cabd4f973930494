"""Defaults of PersistentVolumes, PersistentVolumeClaims and of volume specs inside VolumeAttachments."""

from __future__ import annotations

from kcore.api.core_v1 import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from kcore.api.schema import fill
from kcore.registry.defaults.volumes import SOURCES

__all__ = [
    "default_persistent_volume",
    "default_persistent_volume_claim",
    "default_volume_source",
    "settle_data_source",
]

_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")


def default_persistent_volume(volume: PersistentVolume) -> None:
    spec = volume.spec
    fill(
        spec,
        persistent_volume_reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
        volume_mode=spec.volume_mode if spec.volume_mode is not None else "Filesystem",
    )
    if not volume.status.phase:
        fill(volume.status, phase="Pending")
    default_volume_source(spec)


def default_volume_source(spec: PersistentVolumeSpec) -> None:
    for name, default in SOURCES.items():
        source = getattr(spec, name, None)
        if source is not None:
            default(source)


def default_persistent_volume_claim(claim: PersistentVolumeClaim) -> None:
    if claim.spec.volume_mode is None:
        fill(claim.spec, volume_mode="Filesystem")
    if not claim.status.phase:
        fill(claim.status, phase="Pending")


def settle_data_source(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaimSpec | None = None) -> None:
    """`dataSource` and `dataSourceRef` say the same; the older one only knows claims and snapshots, the rest of it
    is dropped without a word, as it always was (KEP-1495)."""
    elsewhere = spec.data_source_ref is not None and bool(spec.data_source_ref.namespace)
    if elsewhere and (old is None or old.data_source_ref is None):
        fill(spec, data_source_ref=None)  # sources in other namespaces are not served yet (KEP-3294)
    source, reference = spec.data_source, spec.data_source_ref
    stands = old is not None and (old.data_source is not None or old.data_source_ref is not None)
    if source is not None and not _is_known(source) and reference is None and not stands:
        source = None
        fill(spec, data_source=None)
    if source is not None and reference is None:
        same = TypedObjectReference(api_group=source.api_group, kind=source.kind, name=source.name)
        fill(spec, data_source_ref=same)
    elif source is None and reference is not None and not reference.namespace:
        local = TypedLocalObjectReference(api_group=reference.api_group, kind=reference.kind, name=reference.name)
        fill(spec, data_source=local)


def _is_known(source: TypedLocalObjectReference) -> bool:
    group = source.api_group or ""
    return (group, source.kind) in (("", "PersistentVolumeClaim"), _SNAPSHOT)
