"""What each source of a volume must say, in pods and, where both have it, in persistent volumes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from kcore.api import names
from kcore.api.core_v1 import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    CSIVolumeSource,
    EmptyDirVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    QuobyteVolumeSource,
    StorageOSVolumeSource,
)
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required, too_long
from kcore.registry.validation.paths import descending_path, path_without_backsteps
from kcore.registry.validation.projections import (
    validate_config_map_volume,
    validate_downward_api_volume,
    validate_projected_volume,
    validate_secret_volume,
)
from kcore.registry.validation.rules import in_range
from kcore.registry.validation.values import check

__all__ = ["SOURCES"]

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_CACHING_MODES = ("None", "ReadOnly", "ReadWrite")
_DISK_KINDS = ("Dedicated", "Managed", "Shared")
_MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}
_HOST_PORTS = "must be a host:port pair or multiple pairs separated by commas"


def _needs(*fields: str) -> Callable[[Any, Path], Iterator[FieldError]]:
    """The rule of a source whose only rule is which fields (`attribute` or `attribute=wireName`) it must have."""
    pairs = [(f.partition("=")[0], f.partition("=")[2] or f.partition("=")[0]) for f in fields]

    def rule(source: Any, path: Path) -> Iterator[FieldError]:
        for attribute, name in pairs:
            if not getattr(source, attribute):
                yield required(path / name)

    return rule


def _empty_dir(source: EmptyDirVolumeSource, path: Path) -> Iterator[FieldError]:
    if source.size_limit is not None and source.size_limit.startswith("-"):
        yield forbidden(path / "sizeLimit", "SizeLimit field must be a valid resource quantity")


def _host_path(source: HostPathVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.path:
        yield required(path / "path")
        return
    yield from path_without_backsteps(source.path, path / "path")
    if source.type is not None and source.type not in _HOST_PATH_TYPES:
        yield not_supported(path / "type", source.type, _HOST_PATH_TYPES)


def _git_repo(source: GitRepoVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.repository:
        yield required(path / "repository")
    yield from descending_path(source.directory, path / "directory")


def _disk(source: GCEPersistentDiskVolumeSource | AWSElasticBlockStoreVolumeSource, path: Path) -> Iterator[FieldError]:
    if isinstance(source, GCEPersistentDiskVolumeSource):
        if not source.pd_name:
            yield required(path / "pdName")
    elif not source.volume_id:
        yield required(path / "volumeID")
    if not 0 <= source.partition <= 255:
        yield invalid(path / "partition", source.partition, "must be between 1 and 255, inclusive")


def _nfs(source: NFSVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.server:
        yield required(path / "server")
    if not source.path:
        yield required(path / "path")
    if not source.path.startswith("/"):
        yield invalid(path / "path", source.path, "must be an absolute path")


def _iscsi(source: ISCSIVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.target_portal:
        yield required(path / "targetPortal")
    if not source.iqn:
        yield required(path / "iqn")
    else:
        yield from _initiator(source.iqn, path / "iqn")
    yield from in_range(path / "lun", source.lun, 0, 255)
    if (source.chap_auth_discovery or source.chap_auth_session) and source.secret_ref is None:
        yield required(path / "secretRef")
    if source.initiator_name:
        yield from _initiator(source.initiator_name, path / "initiatorname")


def _initiator(name: str, path: Path) -> Iterator[FieldError]:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        yield invalid(path, name, "must be valid format starting with iqn, eui, or naa")
    elif not pattern.search(name):
        yield invalid(path, name, "must be valid format")


def _flocker(source: FlockerVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.dataset_name and not source.dataset_uuid:
        yield required(path, "one of datasetName and datasetUUID is required")
    if source.dataset_name and source.dataset_uuid:
        yield invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.dataset_name:
        yield invalid(path / "datasetName", source.dataset_name, "must not contain '/'")


def _quobyte(source: QuobyteVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.registry:
        yield required(path / "registry", _HOST_PORTS)
    elif len(source.tenant) >= 65:
        yield required(path / "tenant", "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in source.registry.split(","):
            if ":" not in pair:
                yield invalid(path / "registry", source.registry, _HOST_PORTS)
    if not source.volume:
        yield required(path / "volume")


def _fc(source: FCVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.target_ww_ns and not source.wwids:
        yield required(path / "targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if source.target_ww_ns and source.wwids:
        words = "targetWWNs and wwids can not be specified simultaneously"
        yield invalid(path / "targetWWNs", source.target_ww_ns, words)
    if source.target_ww_ns:
        if source.lun is None:
            yield required(path / "lun", "lun is required if targetWWNs is specified")
        else:
            yield from in_range(path / "lun", source.lun, 0, 255)


def _flex(source: FlexVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.driver:
        yield required(path / "driver")
    for key in sorted(source.options):
        namespace = f".{key.partition('/')[0].lower()}"
        if namespace.endswith((".kubernetes.io", ".k8s.io")):
            yield invalid((path / "options").key(key), key, "kubernetes.io and k8s.io namespaces are reserved")


def _azure_disk(source: AzureDiskVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.disk_name:
        yield required(path / "diskName")
    if not source.disk_uri:
        yield required(path / "diskURI")
    if source.caching_mode is not None and source.caching_mode not in _CACHING_MODES:
        yield not_supported(path / "cachingMode", source.caching_mode, _CACHING_MODES)
    if source.kind is None:
        return
    if source.kind not in _DISK_KINDS:
        yield not_supported(path / "kind", source.kind, _DISK_KINDS)
    if source.kind == "Managed" and not source.disk_uri.startswith("/subscriptions/"):
        yield not_supported(path / "diskURI", source.disk_uri, (_MANAGED_DISK,))
    if source.kind != "Managed" and not source.disk_uri.startswith("https://"):
        yield not_supported(path / "diskURI", source.disk_uri, (_BLOB_DISK,))


def _storage_os(source: StorageOSVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.volume_name:
        yield required(path / "volumeName")
    else:
        yield from check(path / "volumeName", source.volume_name, names.dns1123_label)
    if source.volume_namespace:
        yield from check(path / "volumeNamespace", source.volume_namespace, names.dns1123_label)
    if source.secret_ref is not None and not source.secret_ref.name:
        yield required(path / "secretRef" / "name")


def _csi(source: CSIVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.driver:
        yield required(path / "driver")
    if len(source.driver) > 63:
        yield too_long(path / "driver", 63)
    for message in names.dns1123_subdomain(source.driver.lower()):
        yield invalid(path / "driver", source.driver, message)
    secret = source.node_publish_secret_ref
    if secret is not None and not secret.name:
        yield required(path / "nodePublishSecretRef" / "name")
    elif secret is not None:
        yield from check(path / "name", secret.name, names.dns1123_subdomain)


def _image(source: ImageVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.reference:
        yield required(path / "reference")
    if source.pull_policy not in _PULL_POLICIES:
        yield not_supported(path / "pullPolicy", source.pull_policy, _PULL_POLICIES)


def _cinder(source: Any, path: Path) -> Iterator[FieldError]:
    if not source.volume_id:
        yield required(path / "volumeID")
    if source.secret_ref is not None and not source.secret_ref.name:
        yield required(path / "secretRef" / "name")


# In the order in which upstream looks at them: only the first source of several is looked into.
SOURCES: dict[str, Callable[[Any, Path], Iterator[FieldError]]] = {
    "empty_dir": _empty_dir,
    "host_path": _host_path,
    "git_repo": _git_repo,
    "gce_persistent_disk": _disk,
    "aws_elastic_block_store": _disk,
    "secret": validate_secret_volume,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _flocker,
    "persistent_volume_claim": _needs("claim_name=claimName"),
    "rbd": _needs("monitors", "image"),
    "cinder": _cinder,
    "cephfs": _needs("monitors"),
    "quobyte": _quobyte,
    "downward_api": validate_downward_api_volume,
    "fc": _fc,
    "flex_volume": _flex,
    "config_map": validate_config_map_volume,
    "azure_file": _needs("secret_name=secretName", "share_name=shareName"),
    "vsphere_volume": _needs("volume_path=volumePath"),
    "photon_persistent_disk": _needs("pd_id=pdID"),
    "portworx_volume": _needs("volume_id=volumeID"),
    "azure_disk": _azure_disk,
    "storageos": _storage_os,
    "projected": validate_projected_volume,
    "scale_io": _needs("gateway", "system", "volume_name=volumeName"),
    "csi": _csi,
    "image": _image,
}
