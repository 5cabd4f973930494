"""Rules of PersistentVolumes and PersistentVolumeClaims."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import (
    AzureFilePersistentVolumeSource,
    CSIPersistentVolumeSource,
    ISCSIPersistentVolumeSource,
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
from kcore.api.names import dns1123_label, dns1123_subdomain
from kcore.registry.validation.internal import diff, internal, shown
from kcore.registry.validation.labels import validate_label_selector, validate_node_selector
from kcore.registry.validation.paths import path_without_backsteps
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import check, immutable
from kcore.registry.validation.volume_sources import SOURCES

__all__ = [
    "validate_claim_spec",
    "validate_persistent_volume",
    "validate_persistent_volume_claim",
    "validate_persistent_volume_claim_status",
    "validate_persistent_volume_claim_update",
    "validate_persistent_volume_spec",
    "validate_persistent_volume_update",
]

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_SPEC = Path("spec")
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_PRESENT_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
}


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
        else:
            yield from check(path / field / "name", reference.name, dns1123_subdomain)
        if not reference.namespace:
            yield required(path / field / "namespace")
        else:
            yield from check(path / field / "namespace", reference.namespace, dns1123_label)


def _iscsi(source: ISCSIPersistentVolumeSource, path: Path) -> Iterator[FieldError]:
    """Those of pods, whose message tells more of what an initiator starts with, and the secret's name."""
    for error in SOURCES["iscsi"](source, path):
        told = error.detail.startswith("must be valid format")
        yield error._replace(detail="must be valid format") if told else error
    if source.secret_ref is not None and not source.secret_ref.name:
        yield required(path / "secretRef" / "name")


def _azure_file(source: AzureFilePersistentVolumeSource, path: Path) -> Iterator[FieldError]:
    yield from SOURCES["azure_file"](source, path)
    if source.secret_namespace == "":
        yield required(path / "secretNamespace")


def _with_secret(kind: str) -> Callable[[Any, Path], Iterator[FieldError]]:
    """The rules of a pod's source, and that its secret tells its namespace, which a pod's need not."""

    def rule(source: Any, path: Path) -> Iterator[FieldError]:
        yield from SOURCES[kind](source, path)
        if source.secret_ref is not None and not source.secret_ref.namespace:
            yield required(path / "secretRef" / "namespace")

    return rule


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
_RULES: dict[str, Callable[[Any, Path], Iterator[FieldError]]] = {
    **SOURCES,
    "azure_file": _azure_file,
    "cinder": _with_secret("cinder"),
    "csi": _csi,
    "iscsi": _iscsi,
    "local": _local,
    "storageos": _with_secret("storageos"),
}
_FIRST_NAMES = {**_WIRE_NAMES, "gce_persistent_disk": "persistentDisk"}
_FURTHER_NAMES = {**_WIRE_NAMES, "cephfs": "cephFS"}
"""How upstream calls a source whose rules it asks for, and one that is too many."""


def validate_persistent_volume(volume: PersistentVolume) -> Iterator[FieldError]:
    yield from validate_persistent_volume_spec(volume.spec, _SPEC)


def validate_persistent_volume_spec(
    spec: PersistentVolumeSpec, path: Path, *, inline: bool = False
) -> Iterator[FieldError]:
    """`inline`: the volume of a VolumeAttachment, which belongs to no PersistentVolume and must be CSI's."""
    policy = spec.persistent_volume_reclaim_policy
    if inline:
        yield from _inline(path / "claimRef", spec.claim_ref)
        yield from _inline(path / "capacity", spec.capacity)
        if spec.csi is None:
            yield required(path / "csi", "has to be specified in the context of inline volumes")
    yield from _validate_access_modes(spec.access_modes, path / "accessModes", "")
    if not inline:
        yield from _validate_capacity(spec, path / "capacity")
        if policy not in ("", *_RECLAIM_POLICIES):
            yield not_supported(path / "persistentVolumeReclaimPolicy", policy, _RECLAIM_POLICIES)
    elif policy not in ("", "Retain"):
        message = "may only be Retain in the context of inline volumes"
        yield forbidden(path / "persistentVolumeReclaimPolicy", message)
    if inline:
        yield from _inline(path / "nodeAffinity", spec.node_affinity)
    elif spec.node_affinity is not None:
        yield from _validate_affinity(spec.node_affinity, path / "nodeAffinity")
    yield from _validate_source(spec, path)
    whole_host = spec.host_path is not None and posixpath.normpath(spec.host_path.path) == "/"
    if whole_host and policy == "Recycle":
        message = "may not be 'recycle' for a hostPath mount of '/'"
        yield forbidden(path / "persistentVolumeReclaimPolicy", message)
    if inline:
        yield from _inline(path / "storageClassName", spec.storage_class_name)
    elif spec.storage_class_name:
        yield from check(path / "storageClassName", spec.storage_class_name, dns1123_subdomain)
    yield from _validate_volume_mode(spec.volume_mode, path / "volumeMode", inline)
    if spec.volume_attributes_class_name is not None:
        yield from _validate_attributes_class(spec, spec.volume_attributes_class_name, path)


def _inline(path: Path, value: object) -> Iterator[FieldError]:
    if value:
        yield forbidden(path, "may not be specified in the context of inline volumes")


def _validate_volume_mode(mode: str | None, path: Path, inline: bool) -> Iterator[FieldError]:
    if inline and mode not in (None, "Filesystem"):
        yield forbidden(path, "may not specify volumeMode other than Filesystem in the context of inline volumes")
    elif not inline and mode is not None and mode not in _VOLUME_MODES:
        yield not_supported(path, mode, _VOLUME_MODES)


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
        if i and name != "flex_volume":
            yield forbidden(path / _FURTHER_NAMES[name], "may not specify more than 1 volume type")
            continue
        yield from _RULES[name](getattr(spec, name), path / _FIRST_NAMES[name])
        if name == "local" and spec.node_affinity is None:
            yield required(path / "nodeAffinity", "Local volume requires node affinity")


def _validate_attributes_class(spec: PersistentVolumeSpec, name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path / "volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from check(path / "volumeAttributesClassName", name, dns1123_subdomain)
    if spec.csi is None:
        yield required(path / "csi", "has to be specified when using volumeAttributesClassName")


def validate_persistent_volume_update(new: PersistentVolume, old: PersistentVolume) -> Iterator[FieldError]:
    """Upstream looks at the whole as at a new one, and once more as at a changed one."""
    yield from validate_persistent_volume(new)
    yield from validate_persistent_volume(new)
    after = _without_first_expand_secret(new.spec, old.spec)
    if any(getattr(after, name) != getattr(old.spec, name) for name in _ORDER):
        what = "spec.persistentvolumesource"
        changes = diff(old.spec, after, _source)
        yield forbidden(Path(what), f"{what} is immutable after creation\n{changes}")
    yield from immutable(Path("volumeMode"), new.spec.volume_mode, old.spec.volume_mode)
    affinity = old.spec.node_affinity
    if affinity is not None and new.spec.node_affinity not in (affinity, _with_present_labels(affinity)):
        message = "field is immutable, except for updating from beta label to GA"
        yield invalid(Path("nodeAffinity"), shown(new.spec.node_affinity), message)
    path = _SPEC / "volumeAttributesClassName"
    yield from _validate_kept_class(new.spec.volume_attributes_class_name, old.spec.volume_attributes_class_name, path)


def _without_first_expand_secret(new: PersistentVolumeSpec, old: PersistentVolumeSpec) -> PersistentVolumeSpec:
    """What CSI expands with may be told later on, once."""
    if new.csi is None or old.csi is None or old.csi.controller_expand_secret_ref is not None:
        return new
    return replace(new, csi=replace(new.csi, controller_expand_secret_ref=None))


def _with_present_labels(affinity: VolumeNodeAffinity) -> VolumeNodeAffinity:
    """The labels of nodes by what they are called now."""
    if affinity.required is None:
        return affinity
    terms = tuple(
        replace(
            term,
            match_expressions=tuple(replace(r, key=_PRESENT_LABELS.get(r.key, r.key)) for r in term.match_expressions),
        )
        for term in affinity.required.node_selector_terms
    )
    return replace(affinity, required=replace(affinity.required, node_selector_terms=terms))


def _validate_kept_class(new: str | None, old: str | None, path: Path) -> Iterator[FieldError]:
    if old is None:
        return
    if new is None:
        yield forbidden(path, "update from non-nil value to nil is forbidden")
    elif not new and old:
        yield forbidden(path, "update from non-nil value to an empty string is forbidden")


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
    yield from _validate_same_source(spec, path)
    if spec.volume_attributes_class_name:
        yield from check(path / "volumeAttributesClassName", spec.volume_attributes_class_name, dns1123_subdomain)


def _validate_data_source(source: TypedLocalObjectReference | TypedObjectReference, path: Path) -> Iterator[FieldError]:
    if not source.name:
        yield required(path / "name")
    if not source.kind:
        yield required(path / "kind")
    if source.api_group:
        yield from check(path / "apiGroup", source.api_group, dns1123_subdomain)
    elif source.kind != "PersistentVolumeClaim":
        yield invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")


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
    """Looked at twice, as volumes are."""
    yield from validate_persistent_volume_claim(new)
    yield from validate_persistent_volume_claim(new)
    yield from _validate_kept_annotation(new, old)
    after, before = _comparable(new, old)
    if after != before:
        message = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden(_SPEC, f"{message}\n{diff(before, after)}")
    yield from _validate_growth(new, old)
    yield from immutable(Path("volumeMode"), new.spec.volume_mode, old.spec.volume_mode)
    path = _SPEC / "volumeAttributesClassName"
    yield from _validate_kept_class(new.spec.volume_attributes_class_name, old.spec.volume_attributes_class_name, path)


def _moves_to_field(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> bool:
    """The class was named by an annotation, and is now by the field."""
    name = old.metadata.annotations.get(_BETA_CLASS)
    return (
        name is not None
        and old.spec.storage_class_name is None
        and new.spec.storage_class_name == name
        and new.metadata.annotations.get(_BETA_CLASS, name) == name
    )


def _validate_kept_annotation(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    if not _moves_to_field(new, old):
        after, before = (claim.metadata.annotations.get(_BETA_CLASS, "") for claim in (new, old))
        yield from immutable(Path("metadata") / "annotations" / _BETA_CLASS, after, before)


def _comparable(
    new: PersistentVolumeClaim, old: PersistentVolumeClaim
) -> tuple[PersistentVolumeClaimSpec, PersistentVolumeClaimSpec]:
    """Both specs, alike in what may change: binding, a class where there was none, the attributes class, and for a
    bound claim its size."""
    after = replace(new.spec, volume_attributes_class_name=old.spec.volume_attributes_class_name)
    before = old.spec
    if not before.volume_name:
        before = replace(before, volume_name=after.volume_name)
    unnamed = before.storage_class_name is None and _BETA_CLASS not in old.metadata.annotations
    if unnamed or _moves_to_field(new, old):
        after = replace(after, storage_class_name=None)
    size = before.resources.requests.get("storage")
    if new.status.phase == "Bound" and size is not None and after.resources.requests:
        requests = {**after.resources.requests, "storage": size}
        after = replace(after, resources=replace(after.resources, requests=requests))
    return after, before


def _validate_growth(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
    """A request may shrink again only while it stays above what is there (KEP-1790)."""
    wanted, before = new.spec.resources.requests.get("storage", "0"), old.spec.resources.requests.get("storage", "0")
    there = new.status.capacity.get("storage", "0")
    if quantity.compare(wanted, before) < 0 and quantity.compare(wanted, there) <= 0:
        yield forbidden(_SPEC / "resources" / "requests" / "storage", "field can not be less than status.capacity")


def validate_persistent_volume_claim_status(
    new: PersistentVolumeClaim, old: PersistentVolumeClaim
) -> Iterator[FieldError]:
    path = Path("status") / "capacity"
    for name, value in sorted(new.status.capacity.items()):
        if value.startswith("-"):
            yield invalid(path.key(name), quantity.int_value(value), "must be a valid resource quantity")
