"""Claims, volumes and classes for tests: short to write, and put straight into the scheduler's caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import cast

from msgspec.structs import replace

from kcore.api.core_v1 import (
    CSIPersistentVolumeSource,
    HostPathVolumeSource,
    NodeSelector,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    Pod,
    Volume,
    VolumeNodeAffinity,
    VolumeResourceRequirements,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.storage_v1 import StorageClass
from kcore.client.client import Client, WatchEvent, WatchType
from kcore.client.informer import Informers
from kcore.scheduler.volumes import BIND_COMPLETED, Volumes
from tests.scheduler.clusters import pod, requirement, term
from tests.scheduler.profiles import NoClient

__all__ = ["Storage", "claim", "storage_class", "volume", "with_claims"]

_versions = count(1)
CLASS = "local"


class Storage:
    """The scheduler's view of storage, filled by hand."""

    def __init__(self) -> None:
        self.informers = Informers(cast(Client, NoClient()))
        self.volumes = Volumes(self.informers)

    def set(self, *objects: Object) -> None:
        for obj in objects:
            fresh = replace(obj, metadata=replace(obj.metadata, resource_version=str(next(_versions))))
            self.informers.of(type(obj))._apply([WatchEvent(WatchType.ADDED, fresh)])


def claim(
    name: str = "c",
    *,
    volume_name: str = "",
    class_name: str = CLASS,
    size: str = "1Gi",
    modes: Sequence[str] = ("ReadWriteOnce",),
    annotations: Mapping[str, str] | None = None,
    phase: str = "",
) -> PersistentVolumeClaim:
    """A claim, bound where it names a volume."""
    bound = {BIND_COMPLETED: "yes"} if volume_name else {}
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="ns", uid=f"uid-{name}", annotations={**bound, **(annotations or {})}),
        spec=PersistentVolumeClaimSpec(
            access_modes=tuple(modes),
            storage_class_name=class_name,
            volume_name=volume_name,
            resources=VolumeResourceRequirements(requests={"storage": size}),
        ),
        status=PersistentVolumeClaimStatus(phase=phase),
    )


def volume(
    name: str = "v",
    *,
    on: Sequence[str] = (),
    where: NodeSelectorTerm | None = None,
    class_name: str = CLASS,
    size: str = "1Gi",
    modes: Sequence[str] = ("ReadWriteOnce",),
    labels: Mapping[str, str] | None = None,
    claimed_by: str = "",
    driver: str = "",
    phase: str = "Available",
) -> PersistentVolume:
    """A volume, on some nodes only where they are named."""
    where = term(requirement("kubernetes.io/hostname", "In", *on)) if on else where
    affinity = VolumeNodeAffinity(required=NodeSelector(node_selector_terms=(where,))) if where is not None else None
    return PersistentVolume(
        metadata=ObjectMeta(name=name, labels=labels or {}),
        spec=PersistentVolumeSpec(
            access_modes=tuple(modes),
            capacity={"storage": size},
            storage_class_name=class_name,
            node_affinity=affinity,
            claim_ref=ObjectReference(name=claimed_by, namespace="ns") if claimed_by else None,
            host_path=None if driver else HostPathVolumeSource(path="/data"),
            csi=CSIPersistentVolumeSource(driver=driver, volume_handle=name) if driver else None,
        ),
        status=PersistentVolumeStatus(phase=phase),
    )


def storage_class(
    name: str = CLASS, provisioner: str = "kubernetes.io/no-provisioner", mode: str = "WaitForFirstConsumer"
) -> StorageClass:
    return StorageClass(metadata=ObjectMeta(name=name), provisioner=provisioner, volume_binding_mode=mode)


def with_claims(*names: str, node_name: str = "", name: str = "p") -> Pod:
    bare = pod(name, node_name=node_name)
    volumes = [
        Volume(name=one, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=one)) for one in names
    ]
    return replace(bare, spec=replace(bare.spec, volumes=tuple(volumes)))
