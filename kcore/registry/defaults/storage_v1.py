"""Defaults of the storage group."""

from __future__ import annotations

from kcore.api.schema import fill
from kcore.api.storage_v1 import CSIDriver, CSINode, StorageClass, VolumeAttachment
from kcore.registry.defaults.persistent_volumes import default_volume_source

__all__ = ["default_csi_driver", "default_csi_node", "default_storage_class", "default_volume_attachment"]

_DRIVER = {
    "attach_required": True,
    "fs_group_policy": "ReadWriteOnceWithFSType",
    "pod_info_on_mount": False,
    "requires_republish": False,
    "se_linux_mount": False,
    "storage_capacity": False,
}


def default_storage_class(storage_class: StorageClass) -> None:
    if storage_class.reclaim_policy is None:
        fill(storage_class, reclaim_policy="Delete")
    if storage_class.volume_binding_mode is None:
        fill(storage_class, volume_binding_mode="Immediate")


def default_csi_driver(driver: CSIDriver) -> None:
    fill(driver.spec, **{name: value for name, value in _DRIVER.items() if getattr(driver.spec, name) is None})
    if not driver.spec.volume_lifecycle_modes:
        fill(driver.spec, volume_lifecycle_modes=("Persistent",))


def default_csi_node(node: CSINode) -> None:
    fill(node.spec, drivers=node.spec.drivers or None)


def default_volume_attachment(attachment: VolumeAttachment) -> None:
    inline = attachment.spec.source.inline_volume_spec
    if inline is not None:
        default_volume_source(inline)
