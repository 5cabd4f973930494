"""Defaults of pod volumes. Persistent volumes share those of the sources they have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.api.core_v1 import (
    AzureDiskVolumeSource,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ISCSIVolumeSource,
    ProjectedVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    SecretVolumeSource,
    Volume,
)
from kcore.api.schema import fill
from kcore.registry.defaults.images import pull_policy

__all__ = ["SOURCES", "default_volume"]

FILE_MODE = 0o644


def _mode(source: ConfigMapVolumeSource | SecretVolumeSource) -> None:
    if source.default_mode is None:
        fill(source, default_mode=FILE_MODE)


def _files(items: tuple[DownwardAPIVolumeFile, ...]) -> None:
    for item in items:
        if item.field_ref is not None and not item.field_ref.api_version:
            fill(item.field_ref, api_version="v1")


def _downward_api(source: DownwardAPIVolumeSource) -> None:
    if source.default_mode is None:
        fill(source, default_mode=FILE_MODE)
    _files(source.items)


def _projected(source: ProjectedVolumeSource) -> None:
    if source.default_mode is None:
        fill(source, default_mode=FILE_MODE)
    for projection in source.sources:
        token = projection.service_account_token
        if token is not None and token.expiration_seconds is None:
            fill(token, expiration_seconds=3600)
        if projection.downward_api is not None:
            _files(projection.downward_api.items)
        certificate = projection.pod_certificate
        if certificate is not None and certificate.max_expiration_seconds is None:
            fill(certificate, max_expiration_seconds=86400)


def _host_path(source: HostPathVolumeSource) -> None:
    if source.type is None:
        fill(source, type="")


def _iscsi(source: ISCSIVolumeSource) -> None:
    if not source.iscsi_interface:
        fill(source, iscsi_interface="default")


def _rbd(source: RBDVolumeSource) -> None:
    fill(
        source,
        pool=source.pool or "rbd",
        user=source.user or "admin",
        keyring=source.keyring or "/etc/ceph/keyring",
    )


def _azure_disk(source: AzureDiskVolumeSource) -> None:
    fill(
        source,
        caching_mode=source.caching_mode if source.caching_mode is not None else "ReadWrite",
        kind=source.kind if source.kind is not None else "Shared",
        fs_type=source.fs_type if source.fs_type is not None else "ext4",
        read_only=source.read_only if source.read_only is not None else False,
    )


def _scale_io(source: ScaleIOVolumeSource) -> None:
    fill(source, storage_mode=source.storage_mode or "ThinProvisioned", fs_type=source.fs_type or "xfs")


def _image(source: ImageVolumeSource) -> None:
    if not source.pull_policy:
        fill(source, pull_policy=pull_policy(source.reference))


def _ephemeral(source: EphemeralVolumeSource) -> None:
    if source.volume_claim_template is not None and source.volume_claim_template.spec.volume_mode is None:
        fill(source.volume_claim_template.spec, volume_mode="Filesystem")


SOURCES: dict[str, Callable[[Any], None]] = {
    "azure_disk": _azure_disk,
    "config_map": _mode,
    "downward_api": _downward_api,
    "ephemeral": _ephemeral,
    "host_path": _host_path,
    "image": _image,
    "iscsi": _iscsi,
    "projected": _projected,
    "rbd": _rbd,
    "scale_io": _scale_io,
    "secret": _mode,
}
"""Volume sources that have defaults, by their field."""

_FIELDS = tuple(f for f in Volume.__struct_fields__ if f != "name")


def default_volume(volume: Volume) -> None:
    empty = True
    for field in _FIELDS:
        source = getattr(volume, field)
        if source is None:
            continue
        empty = False
        if field in SOURCES:
            SOURCES[field](source)
    if empty:
        fill(volume, empty_dir=EmptyDirVolumeSource())
