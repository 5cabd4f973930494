"""The storage group."""

from __future__ import annotations

from kcore.api.storage_v1 import (
    CSIDriver,
    CSINode,
    CSIStorageCapacity,
    StorageClass,
    VolumeAttachment,
    VolumeAttributesClass,
)
from kcore.registry.advice.labels import storage_capacity_advice, storage_class_advice
from kcore.registry.defaults.storage_v1 import (
    default_csi_driver,
    default_csi_node,
    default_storage_class,
    default_volume_attachment,
)
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.storage_v1 import (
    csi_driver_warnings,
    validate_csi_driver,
    validate_csi_driver_update,
    validate_csi_node,
    validate_csi_node_update,
    validate_csi_storage_capacity,
    validate_csi_storage_capacity_update,
    validate_storage_class,
    validate_storage_class_update,
    validate_volume_attachment,
    validate_volume_attachment_status,
    validate_volume_attachment_update,
    validate_volume_attributes_class,
    validate_volume_attributes_class_update,
)

__all__ = ["STRATEGIES"]


class StorageClassStrategy(Ruled):
    type = StorageClass
    returns_deleted = True
    rules = Rules(
        default_storage_class, validate_storage_class, validate_storage_class_update, advice=storage_class_advice
    )


class CSIDriverStrategy(Ruled):
    type = CSIDriver
    unconditional_update = False
    returns_deleted = True
    rules = Rules(default_csi_driver, validate_csi_driver, validate_csi_driver_update, advice=csi_driver_warnings)


class CSINodeStrategy(Ruled):
    type = CSINode
    unconditional_update = False
    returns_deleted = True
    rules = Rules(default_csi_node, validate_csi_node, validate_csi_node_update)


class CSIStorageCapacityStrategy(Ruled):
    type = CSIStorageCapacity
    unconditional_update = False
    rules = Rules(
        create=validate_csi_storage_capacity,
        update=validate_csi_storage_capacity_update,
        advice=storage_capacity_advice,
    )


class VolumeAttachmentStrategy(Ruled):
    type = VolumeAttachment
    unconditional_update = False
    returns_deleted = True
    rules = Rules(
        default_volume_attachment,
        validate_volume_attachment,
        validate_volume_attachment_update,
        validate_volume_attachment_status,
    )


class VolumeAttributesClassStrategy(Ruled):
    type = VolumeAttributesClass
    returns_deleted = True
    rules = Rules(create=validate_volume_attributes_class, update=validate_volume_attributes_class_update)


STRATEGIES = (
    StorageClassStrategy,
    CSIDriverStrategy,
    CSINodeStrategy,
    CSIStorageCapacityStrategy,
    VolumeAttachmentStrategy,
    VolumeAttributesClassStrategy,
)
