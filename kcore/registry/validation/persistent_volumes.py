"""Rules of PersistentVolumes and PersistentVolumeClaims."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import (
    CSIPersistentVolumeSource,
    LocalVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
    TypedLocalObjectReference,
    TypedObjectReference,
    VolumeNodeAffinity,
)
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.api.names import dns1123_subdomain
from kcore.registry.validation.internal import diff, internal, shown
from kcore.registry.validation.labels import validate_label_selector, validate_node_selector
from kcore.registry.validation.paths import path_without_backsteps
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import check, immutable
from kcore.registry.validation.volume_sources import SOURCES

__all__ = [
    "validate_persistent_volume",
    "validate_persistent_volume_claim",
    "validate_persistent_volume_claim_update",
    "validate_persistent_volume_spec",
    "validate_persistent_volume_update",
]

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_INLINE = "may not be specified in the context of inline volumes"
_SPEC = Path("spec")


def _csi(source: CSIPersistentVolumeSource, path: Path) -> Iterator[FieldError]:
    yield from driver_name(source.driver, path / "driver")
    if not source.volume_handle:
        yield required(path / "volumeHandle")
    for field, reference in (
        ("controllerPublishSecretRef", source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", source.controller_expand_secret_ref),
        ("nodePublishSecretRef", source.node_publish_secret_ref),
        ("nodeExpandSecretRef", source.node_expand_secret_ref),
    ):
        if reference is None:
            continue
        if not reference.name:
            yield required(path / field / "name")
        if not reference.namespace:
            yield required(path / field / "namespace")


def _local(source: LocalVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.path:
        yield required(path / "path")
    else:
        yield from path_without_backsteps(source.path, path / "path")


# In upstream's order, with the names of its internal type, which the refusal of a change shows.
_KINDS = (
    ("gce_persistent_disk", "GCEPersistentDisk"),
    ("aws_elastic_block_store", "AWSElasticBlockStore"),
    ("host_path", "HostPath"),
    ("glusterfs", "Glusterfs"),
    ("nfs", "NFS"),
    ("rbd", "RBD"),
    ("quobyte", "Quobyte"),
    ("iscsi", "ISCSI"),
    ("flex_volume", "FlexVolume"),
    ("cinder", "Cinder"),
    ("cephfs", "CephFS"),
    ("fc", "FC"),
    ("flocker", "Flocker"),
    ("azure_file", "AzureFile"),
    ("vsphere_volume", "VsphereVolume"),
    ("azure_disk", "AzureDisk"),
    ("photon_persistent_disk", "PhotonPersistentDisk"),
    ("portworx_volume", "PortworxVolume"),
    ("scale_io", "ScaleIO"),
    ("local", "Local"),
    ("storageos", "StorageOS"),
    ("csi", "CSI"),
)
_ORDER = (
    *("host_path", "gce_persistent_disk", "aws_elastic_block_store", "glusterfs", "flocker", "nfs", "rbd", "quobyte"),
    *("cephfs", "iscsi", "cinder", "fc", "flex_volume", "azure_file", "vsphere_volume", "photon_persistent_disk"),
    *("portworx_volume", "azure_disk", "scale_io", "local", "storageos", "csi"),
)
_WIRE_NAMES = dict(
    zip(PersistentVolumeSpec.__struct_fields__, PersistentVolumeSpec.__struct_encode_fields__, strict=True)
)
_RULES: dict[str, Callable[[Any, Path], Iterator[FieldError]]] = {**SOURCES, "csi": _csi, "local": _local}


def validate_persistent_volume(volume: PersistentVolume) -> Iterator[FieldError]:
    yield from validate_persistent_volume_spec(volume.spec, _SPEC)


def validate_persistent_volume_spec(
    spec: PersistentVolumeSpec, path: Path, *, inline: bool = False
) -> Iterator[FieldError]:
    """`inline`: the volume of a VolumeAttachment, which belongs to no PersistentVolume and must be CSI's."""
    if inline:
        yield from _validate_inline(spec, path)
    yield from _validate_access_modes(spec.access_modes, path / "accessModes", "")
    if not inline:
        yield from _validate_capacity(spec, path / "capacity")
        if spec.persistent_volume_reclaim_policy not in ("", *_RECLAIM_POLICIES):
            at = path / "persistentVolumeReclaimPolicy"
            yield not_supported(at, spec.persistent_volume_reclaim_policy, _RECLAIM_POLICIES)
        if spec.node_affinity is not None:
            yield from _validate_affinity(spec.node_affinity, path / "nodeAffinity")
    yield from _validate_source(spec, path)
    whole_host = spec.host_path is not None and posixpath.normpath(spec.host_path.path) == "/"
    if whole_host and spec.persistent_volume_reclaim_policy == "Recycle":
        message = "may not be 'recycle' for a hostPath mount of '/'"
        yield forbidden(path / "persistentVolumeReclaimPolicy", message)
    if spec.storage_class_name and not inline:
        yield from check(path / "storageClassName", spec.storage_class_name, dns1123_subdomain)
    if spec.volume_mode is not None and not inline and spec.volume_mode not in _VOLUME_MODES:
        yield not_supported(path / "volumeMode", spec.volume_mode, _VOLUME_MODES)
    if spec.volume_attributes_class_name is not None:
        yield from _validate_attributes_class(spec, spec.volume_attributes_class_name, path)


def _validate_inline(spec: PersistentVolumeSpec, path: Path) -> Iterator[FieldError]:
    for field, value in (
        ("claimRef", spec.claim_ref),
        ("capacity", spec.capacity),
        ("nodeAffinity", spec.node_affinity),
        ("storageClassName", spec.storage_class_name),
    ):
        if value:
            yield forbidden(path / field, _INLINE)
    if spec.csi is None:
        yield required(path / "csi", "has to be specified in the context of inline volumes")
    if spec.persistent_volume_reclaim_policy not in ("", "Retain"):
        message = "may only be Retain in the context of inline volumes"
        yield forbidden(path / "persistentVolumeReclaimPolicy", message)
    if spec.volume_mode not in (None, "Filesystem"):
        yield forbidden(path / "volumeMode", "may not specify volumeMode other than Filesystem for inline volumes")


def _validate_access_modes(modes: tuple[str, ...], path: Path, advice: str) -> Iterator[FieldError]:
    if not modes:
        yield required(path, advice)
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield not_supported(path, mode, _ACCESS_MODES)
    if "ReadWriteOncePod" in modes and any(m in _ACCESS_MODES and m != "ReadWriteOncePod" for m in modes):
        yield forbidden(path, "may not use ReadWriteOncePod with other access modes")


def _validate_capacity(spec: PersistentVolumeSpec, path: Path) -> Iterator[FieldError]:
    if not spec.capacity:
        yield required(path)
    if "storage" not in spec.capacity or len(spec.capacity) > 1:
        yield not_supported(path, None, ("storage",))._replace(value=dict(sorted(spec.capacity.items())) or None)
    for name, value in sorted(spec.capacity.items()):
        yield from _validate_positive(value, path.key(name), basic=True)


def _validate_positive(value: str, path: Path, *, basic: bool = False) -> Iterator[FieldError]:
    if basic and value.startswith("-"):
        yield invalid(path, quantity.int_value(value), "must be a valid resource quantity")
    if quantity.compare(value, "0") <= 0:
        yield invalid(path, value, "must be greater than zero")


def _validate_affinity(affinity: VolumeNodeAffinity, path: Path) -> Iterator[FieldError]:
    if affinity.required is None:
        yield required(path / "required", "must specify required node constraints")
    else:
        yield from validate_node_selector(affinity.required, path / "required")


def _validate_source(spec: PersistentVolumeSpec, path: Path) -> Iterator[FieldError]:
    chosen = [name for name in _ORDER if getattr(spec, name) is not None]
    if not chosen:
        yield required(path, "must specify a volume type")
    for i, name in enumerate(chosen):
        at = path / _WIRE_NAMES[name]
        if i:
            yield forbidden(at, "may not specify more than 1 volume type")
            continue
        yield from _RULES[name](getattr(spec, name), at)
        if name == "local" and (spec.node_affinity is None or spec.node_affinity.required is None):
            yield required(path / "nodeAffinity", "Local volume requires node affinity")


def _validate_attributes_class(spec: PersistentVolumeSpec, name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path / "volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from check(path / "volumeAttributesClassName", name, dns1123_subdomain)
    if spec.csi is None:
        yield required(path / "csi", "has to be specified when using volumeAttributesClassName")


def validate_persistent_volume_update(new: PersistentVolume, old: PersistentVolume) -> Iterator[FieldError]:
    yield from validate_persistent_volume(new)
    if any(getattr(new.spec, name) != getattr(old.spec, name) for name in _ORDER):
        what = "spec.persistentvolumesource"
        changes = diff(old.spec, new.spec, _source)
        yield forbidden(Path(what), f"{what} is immutable after creation\n{changes}")
    yield from immutable(Path("volumeMode"), new.spec.volume_mode, old.spec.volume_mode)
    if old.spec.node_affinity is not None and new.spec.node_affinity != old.spec.node_affinity:
        yield invalid(Path("nodeAffinity"), shown(new.spec.node_affinity), "field is immutable")


def _source(spec: PersistentVolumeSpec) -> dict[str, Any]:
    return {shown_as: internal(getattr(spec, name)) for name, shown_as in _KINDS}


def validate_persistent_volume_claim(claim: PersistentVolumeClaim) -> Iterator[FieldError]:
    yield from validate_claim_spec(claim.spec, _SPEC)


def validate_claim_spec(spec: PersistentVolumeClaimSpec, path: Path) -> Iterator[FieldError]:
    modes = spec.access_modes
    if not modes:
        yield required(path / "accessModes", "at least 1 access mode is required")
    yield from validate_label_selector(spec.selector, path / "selector")
    if modes:
        yield from _validate_access_modes(modes, path / "accessModes", "")
    storage = spec.resources.requests.get("storage")
    if storage is None:
        yield required((path / "resources").key("storage"))
    else:
        yield from _validate_positive(storage, (path / "resources").key("storage"))
    if spec.storage_class_name:
        yield from check(path / "storageClassName", spec.storage_class_name, dns1123_subdomain)
    if spec.volume_mode is not None and spec.volume_mode not in _VOLUME_MODES:
        yield not_supported(path / "volumeMode", spec.volume_mode, _VOLUME_MODES)
    if spec.data_source is not None:
        yield from _validate_data_source(spec.data_source, path / "dataSource")
    if spec.data_source_ref is not None:
        yield from _validate_data_source(spec.data_source_ref, path / "dataSourceRef")
    if spec.volume_attributes_class_name:
        yield from check(path / "volumeAttributesClassName", spec.volume_attributes_class_name, dns1123_subdomain)
    yield from _validate_same_source(spec, path)


def _validate_data_source(source: TypedLocalObjectReference | TypedObjectReference, path: Path) -> Iterator[FieldError]:
    if not source.name:
        yield required(path / "name")
    if not source.kind:
        yield required(path / "kind")
    if source.api_group:
        yield from check(path / "apiGroup", source.api_group, dns1123_subdomain)
    elif source.kind != "PersistentVolumeClaim":
        yield invalid(path, source.kind, "")


def _validate_same_source(spec: PersistentVolumeClaimSpec, path: Path) -> Iterator[FieldError]:
    """Upstream shows a path as the bad value, which has nothing to show."""
    source, reference = spec.data_source, spec.data_source_ref
    if source is None or reference is None:
        return
    if reference.namespace:
        yield invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")
    elif (source.api_group, source.kind, source.name) != (reference.api_group, reference.kind, reference.name):
        yield invalid(path, {}, "must match dataSourceRef")


def validate_persistent_volume_claim_update(
    new: PersistentVolumeClaim, old: PersistentVolumeClaim
) -> Iterator[FieldError]:
    yield from validate_persistent_volume_claim(new)
    allowed = _with_allowed_changes(new, old)
    if allowed != new.spec:
        message = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden(_SPEC, f"{message}\n{diff(allowed, new.spec)}")
    yield from _validate_growth(new, old)
    yield from immutable(Path("volumeMode"), new.spec.volume_mode, old.spec.volume_mode)


def _with_allowed_changes(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> PersistentVolumeClaimSpec:
    """The old spec with those changes of the new one that may be made: binding, a class where there was none, and
    for a bound claim its size and its attributes class."""
    spec = old.spec
    if not spec.volume_name:
        spec = replace(spec, volume_name=new.spec.volume_name)
    if spec.storage_class_name is None:
        spec = replace(spec, storage_class_name=new.spec.storage_class_name)
    if new.status.phase == "Bound":
        requests = {**spec.resources.requests}
        if "storage" in new.spec.resources.requests:
            requests["storage"] = new.spec.resources.requests["storage"]
        spec = replace(
            spec,
            resources=replace(spec.resources, requests=requests),
            volume_attributes_class_name=new.spec.volume_attributes_class_name,
        )
    return spec


def _validate_growth(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    """A request may shrink again only while it stays above what is there (KEP-1790)."""
    wanted, before = new.spec.resources.requests.get("storage", "0"), old.spec.resources.requests.get("storage", "0")
    there = new.status.capacity.get("storage", "0")
    if quantity.compare(wanted, before) < 0 and quantity.compare(wanted, there) <= 0:
        yield forbidden(_SPEC / "resources" / "requests" / "storage", "field can not be less than status.capacity")
