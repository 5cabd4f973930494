"""Volume mounts and block devices of containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import Container, EphemeralContainer, Volume, VolumeMount
from kcore.api.field import FieldError, Path, forbidden, invalid, not_found, not_supported, required
from kcore.registry.validation.paths import climbs, descending_path

__all__ = ["validate_volume_devices", "validate_volume_mounts"]

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_volume_mounts(
    container: Container | EphemeralContainer, path: Path, volumes: Mapping[str, Volume]
) -> Iterator[FieldError]:
    devices = {d.name: d.device_path for d in container.volume_devices}
    device_paths = set(devices.values())
    seen: set[str] = set()
    for i, mount in enumerate(container.volume_mounts):
        if not mount.name:
            yield required(path @ i / "name")
        volume = volumes.get(mount.name)
        if volume is None:
            yield not_found(path @ i / "name", mount.name)
        if not mount.mount_path:
            yield required(path @ i / "mountPath")
        if mount.mount_path in seen:
            yield invalid(path @ i / "mountPath", mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        if mount.name in devices:
            yield invalid(path @ i / "name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in device_paths:
            words = "must not already exist as a path in volumeDevices"
            yield invalid(path @ i / "mountPath", mount.mount_path, words)
        if mount.sub_path or mount.sub_path_expr:
            yield from _validate_sub_path(i, path, mount)
        if mount.mount_propagation is not None:
            yield from _validate_propagation(mount.mount_propagation, path / "mountPropagation", container)
        if mount.recursive_read_only is not None:
            yield from _validate_recursive(mount, path / "recursiveReadOnly")


def _validate_sub_path(i: int, path: Path, mount: VolumeMount) -> Iterator[FieldError]:
    """Upstream reports these at the list, not at the element."""
    if mount.sub_path:
        yield from descending_path(mount.sub_path, path / "subPath")
    if mount.sub_path_expr:
        if mount.sub_path:
            words = "subPathExpr and subPath are mutually exclusive"
            yield invalid(path @ i / "subPathExpr", mount.sub_path_expr, words)
        yield from descending_path(mount.sub_path_expr, path / "subPathExpr")


def _validate_propagation(
    propagation: str, path: Path, container: Container | EphemeralContainer
) -> Iterator[FieldError]:
    if propagation not in _PROPAGATIONS:
        yield not_supported(path, propagation, _PROPAGATIONS)
    context = container.security_context
    if propagation == "Bidirectional" and not (context is not None and context.privileged):
        yield forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _validate_recursive(mount: VolumeMount, path: Path) -> Iterator[FieldError]:
    if mount.recursive_read_only not in _RECURSIVE:
        yield not_supported(path, mount.recursive_read_only or "", _RECURSIVE)
    elif mount.recursive_read_only != "Disabled":
        if not mount.read_only:
            yield forbidden(path, "may only be specified when readOnly is true")
        if mount.mount_propagation not in (None, "None"):
            yield forbidden(path, "may only be specified when mountPropagation is None or not specified")


def validate_volume_devices(
    container: Container | EphemeralContainer, path: Path, volumes: Mapping[str, Volume]
) -> Iterator[FieldError]:
    mounts = {m.name: m.mount_path for m in container.volume_mounts}
    mount_paths = set(mounts.values())
    names: set[str] = set()
    paths: set[str] = set()
    for i, device in enumerate(container.volume_devices):
        name, at = path @ i / "name", path @ i / "devicePath"
        volume = volumes.get(device.name)
        if not device.name:
            yield required(name)
        if device.name in names:
            yield invalid(name, device.name, "must be unique")
        if volume is None:
            yield not_found(name, device.name)
        elif volume.persistent_volume_claim is None and volume.ephemeral is None:
            words = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid(name, device.name, words)
        if not device.device_path:
            yield required(at)
        if device.device_path in paths:
            yield invalid(at, device.device_path, "must be unique")
        if climbs(device.device_path):
            yield invalid(at, device.device_path, "can not contain backsteps ('..')")
        else:
            paths.add(device.device_path)
        if device.name in mounts:
            yield invalid(name, device.name, "must not already exist in volumeMounts")
        if device.device_path in mount_paths:
            words = "must not already exist as a path in volumeMounts"
            yield invalid(at, device.device_path, words)
        if device.name:
            names.add(device.name)
