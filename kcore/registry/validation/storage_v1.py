"""Rules of the storage group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import TopologySelectorTerm
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long
from kcore.api.names import dns1123_subdomain, label_key
from kcore.api.storage_v1 import (
    CSIDriver,
    CSINode,
    CSINodeDriver,
    CSIStorageCapacity,
    StorageClass,
    TokenRequest,
    VolumeAttachment,
    VolumeAttributesClass,
)
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.persistent_volumes import validate_persistent_volume_spec
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import IMMUTABLE, check, immutable, non_negative

__all__ = [
    "csi_driver_warnings",
    "validate_csi_driver",
    "validate_csi_driver_update",
    "validate_csi_node",
    "validate_csi_node_update",
    "validate_csi_storage_capacity",
    "validate_csi_storage_capacity_update",
    "validate_storage_class",
    "validate_storage_class_update",
    "validate_volume_attachment",
    "validate_volume_attachment_status",
    "validate_volume_attachment_update",
    "validate_volume_attributes_class",
    "validate_volume_attributes_class_update",
]

_SPEC = Path("spec")
_PARAMETERS_MAX = 512
_PARAMETERS_SIZE_MAX = 256 * 1024
_NODE_ID_MAX = 256
_TOKEN_SECONDS_MIN = 600
_UPDATE_SECONDS_MIN = 10
_TOKEN_SECONDS_MAX = 1 << 32
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_FS_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLE_MODES = ("Persistent", "Ephemeral")
_METADATA_SIZE_MAX = 256 * 1024
_MESSAGE_SIZE_MAX = 1024
_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def validate_storage_class(storage_class: StorageClass) -> Iterator[FieldError]:
    provisioner = storage_class.provisioner
    if not provisioner:
        yield required(Path("provisioner"))
    else:
        yield from check(Path("provisioner"), provisioner.lower(), label_key)
    yield from _validate_parameters(storage_class.parameters, Path("parameters"))
    if storage_class.reclaim_policy not in (None, "", "Delete", "Retain"):
        yield not_supported(Path("reclaimPolicy"), storage_class.reclaim_policy or "", ("Delete", "Retain"))
    if storage_class.volume_binding_mode is None:
        yield required(Path("volumeBindingMode"))
    elif storage_class.volume_binding_mode not in _BINDING_MODES:
        yield not_supported(Path("volumeBindingMode"), storage_class.volume_binding_mode, _BINDING_MODES)
    yield from _validate_topologies(storage_class.allowed_topologies, Path("allowedTopologies"))


def validate_storage_class_update(new: StorageClass, old: StorageClass) -> Iterator[FieldError]:
    yield from validate_storage_class(new)
    yield from immutable(Path("parameters"), new.parameters, old.parameters)
    yield from immutable(Path("provisioner"), new.provisioner, old.provisioner)
    yield from immutable(Path("reclaimPolicy"), new.reclaim_policy, old.reclaim_policy)
    yield from immutable(Path("volumeBindingMode"), new.volume_binding_mode, old.volume_binding_mode)


def _validate_parameters(parameters: Mapping[str, str], path: Path) -> Iterator[FieldError]:
    if len(parameters) > _PARAMETERS_MAX:
        yield too_long(path, _PARAMETERS_MAX)
        return
    if "" in parameters:
        yield invalid(path, "", "field can not be empty.")
    if sum(len(k.encode()) + len(v.encode()) for k, v in parameters.items()) > _PARAMETERS_SIZE_MAX:
        yield too_long(path, _PARAMETERS_SIZE_MAX)


def _validate_topologies(terms: tuple[TopologySelectorTerm, ...], path: Path) -> Iterator[FieldError]:
    for i, term in enumerate(terms):
        keys: set[str] = set()
        for j, expression in enumerate(term.match_label_expressions):
            at = path @ i / "matchLabelExpressions" @ j
            if not expression.values:
                yield required(at / "values")
            for k, value in enumerate(expression.values):
                if value in expression.values[:k]:
                    yield duplicate(at / "values" @ k, value)
            yield from check(at / "key", expression.key, label_key)
            if expression.key in keys:
                yield duplicate(at / "key", expression.key)
            keys.add(expression.key)
        if term in terms[:i]:
            yield duplicate(path @ i / "matchLabelExpressions", "")


def validate_csi_driver(driver: CSIDriver) -> Iterator[FieldError]:
    spec = driver.spec
    for field, value in (
        ("attachedRequired", spec.attach_required),
        ("podInfoOnMount", spec.pod_info_on_mount),
        ("storageCapacity", spec.storage_capacity),
    ):
        if value is None:
            yield required(_SPEC / field)
    if spec.fs_group_policy is not None and spec.fs_group_policy not in _FS_GROUP_POLICIES:
        yield not_supported(_SPEC / "fsGroupPolicy", spec.fs_group_policy, _FS_GROUP_POLICIES)
    yield from _validate_tokens(spec.token_requests, _SPEC / "tokenRequests")
    for mode in spec.volume_lifecycle_modes:
        if mode not in _LIFECYCLE_MODES:
            yield not_supported(_SPEC / "volumeLifecycleModes", mode, _LIFECYCLE_MODES)
    period = spec.node_allocatable_update_period_seconds
    if period is not None and period < _UPDATE_SECONDS_MIN:
        message = f"must be greater than or equal to {_UPDATE_SECONDS_MIN} seconds"
        yield invalid(_SPEC / "nodeAllocatableUpdatePeriodSeconds", period, message)
    in_secrets = spec.service_account_token_in_secrets
    if in_secrets is not None and not spec.token_requests:
        message = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        yield invalid(_SPEC / "serviceAccountTokenInSecrets", in_secrets, message)


def _validate_tokens(tokens: tuple[TokenRequest, ...], path: Path) -> Iterator[FieldError]:
    for i, token in enumerate(tokens):
        at, seconds = path @ i, token.expiration_seconds
        if any(t.audience == token.audience for t in tokens[:i]):
            yield duplicate(at / "audience", token.audience)
        elif seconds is not None and seconds < _TOKEN_SECONDS_MIN:
            yield invalid(at / "expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        elif seconds is not None and seconds > _TOKEN_SECONDS_MAX:
            yield invalid(at / "expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")


def validate_csi_driver_update(new: CSIDriver, old: CSIDriver) -> Iterator[FieldError]:
    yield from validate_csi_driver(new)
    yield from immutable(_SPEC / "attachedRequired", new.spec.attach_required, old.spec.attach_required)
    modes = "volumeLifecycleModes"
    yield from immutable(_SPEC / modes, new.spec.volume_lifecycle_modes, old.spec.volume_lifecycle_modes)


def csi_driver_warnings(new: CSIDriver, old: CSIDriver | None) -> Iterator[str]:
    if new.spec.token_requests and new.spec.service_account_token_in_secrets is None:
        yield (
            "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
            "possible logging of tokens in volume attributes"
        )


def validate_csi_node(node: CSINode) -> Iterator[FieldError]:
    names: set[str] = set()
    for i, driver in enumerate(node.spec.drivers or ()):
        path = _SPEC / "drivers" @ i
        yield from _validate_node_driver(driver, path)
        if driver.name in names:
            yield duplicate(path / "name", driver.name)
        names.add(driver.name)
        yield from _validate_topology_keys(driver.topology_keys, path)


def _validate_topology_keys(keys: tuple[str, ...], path: Path) -> Iterator[FieldError]:
    """The path is the driver's."""
    for i, key in enumerate(keys):
        if not key:
            yield required(path)
        if key in keys[:i]:
            yield duplicate(path, key)
        yield from check(path, key, label_key)


def _validate_node_driver(driver: CSINodeDriver, path: Path) -> Iterator[FieldError]:
    yield from driver_name(driver.name, path / "name")
    if not driver.node_id:
        yield required(path / "nodeID")
    if len(driver.node_id) > _NODE_ID_MAX:
        yield invalid(path / "nodeID", driver.node_id, f"must be {_NODE_ID_MAX} characters or less")
    count = driver.allocatable.count if driver.allocatable is not None else None
    if count is not None:
        yield from non_negative(path / "allocatable" / "count", count)


def validate_csi_node_update(new: CSINode, old: CSINode) -> Iterator[FieldError]:
    """A driver that stays keeps its identity; only how much it can allocate may change."""
    yield from validate_csi_node(new)
    for before in old.spec.drivers or ():
        for driver in new.spec.drivers or ():
            after, then = (replace(d, allocatable=None) for d in (driver, before))
            if driver.name == before.name:
                yield from immutable(_SPEC / "drivers", after, then, shown(after))


def validate_csi_storage_capacity(capacity: CSIStorageCapacity) -> Iterator[FieldError]:
    yield from validate_label_selector(capacity.node_topology, Path("nodeTopology"))
    if not capacity.storage_class_name:
        yield required(Path("storageClassName"))
    else:
        yield from check(Path("storageClassName"), capacity.storage_class_name, dns1123_subdomain)
    if capacity.capacity is not None and capacity.capacity.startswith("-"):
        yield invalid(Path("capacity"), capacity.capacity, "must be greater than or equal to 0")


def validate_csi_storage_capacity_update(new: CSIStorageCapacity, old: CSIStorageCapacity) -> Iterator[FieldError]:
    yield from validate_csi_storage_capacity(new)
    yield from immutable(Path("nodeTopology"), new.node_topology, old.node_topology)
    yield from immutable(Path("storageClassName"), new.storage_class_name, old.storage_class_name)


def validate_volume_attachment(attachment: VolumeAttachment) -> Iterator[FieldError]:
    spec = attachment.spec
    yield from driver_name(spec.attacher, _SPEC / "attacher")
    inline, name, path = spec.source.inline_volume_spec, spec.source.persistent_volume_name, _SPEC / "source"
    if inline is None and name is None:
        yield required(path, _ONE_SOURCE)
    elif inline is not None and name is not None:
        yield forbidden(path, _ONE_SOURCE)
    elif inline is not None:
        yield from validate_persistent_volume_spec(inline, path / "inlineVolumeSpec", inline=True)
    elif not name:
        yield required(path / "persistentVolumeName", "must specify non empty persistentVolumeName")
    yield from check(_SPEC / "nodeName", spec.node_name, dns1123_subdomain)
    if name is not None:
        yield from check(path / "persistentVolumeName", name, dns1123_subdomain)


def validate_volume_attachment_status(new: VolumeAttachment, old: VolumeAttachment) -> Iterator[FieldError]:
    status, path = new.status, Path("status")
    size = sum(len(k.encode()) + len(v.encode()) for k, v in status.attachment_metadata.items())
    if size > _METADATA_SIZE_MAX:
        yield too_long(path / "attachmentMetadata", _METADATA_SIZE_MAX)
    for field, error in (("attachError", status.attach_error), ("detachError", status.detach_error)):
        if error is not None and len(error.message.encode()) > _MESSAGE_SIZE_MAX:
            yield too_long(path / field / "message", _METADATA_SIZE_MAX)  # the limit that upstream names


def validate_volume_attachment_update(new: VolumeAttachment, old: VolumeAttachment) -> Iterator[FieldError]:
    yield from validate_volume_attachment(new)
    if new.spec != old.spec:
        yield invalid(_SPEC, shown(new.spec), IMMUTABLE)


def validate_volume_attributes_class(attributes: VolumeAttributesClass) -> Iterator[FieldError]:
    if not attributes.driver_name:
        yield required(Path("driverName"))
    else:
        yield from check(Path("driverName"), attributes.driver_name.lower(), label_key)
    yield from _validate_parameters(attributes.parameters, Path("parameters"))
    if not attributes.parameters:
        yield required(Path("parameters"), "must contain at least one key/value pair")


def validate_volume_attributes_class_update(
    new: VolumeAttributesClass, old: VolumeAttributesClass
) -> Iterator[FieldError]:
    if new.driver_name != old.driver_name:
        yield forbidden(Path("driverName"), "updates to driverName are forbidden.")
    if new.parameters != old.parameters:
        yield forbidden(Path("parameters"), "updates to parameters are forbidden.")
    yield from validate_volume_attributes_class(new)
