"""Claims, volumes and classes for the tests of storage."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import (
    HostPathVolumeSource,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    PodSpec,
    Volume,
    VolumeResourceRequirements,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.storage_v1 import StorageClass
from kcore.controllers.volumes.provisioning import HOST_PATH
from tests.controllers.control import template
from tests.sim.world import World

__all__ = ["claim", "make_class", "phase", "pod_with", "volume"]


def claim(name: str = "data", size: str = "1Gi", class_: str | None = "manual", **spec: Any) -> PersistentVolumeClaim:
    spec.setdefault("access_modes", ("ReadWriteOnce",))
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="ns"),
        spec=PersistentVolumeClaimSpec(
            resources=VolumeResourceRequirements(requests={"storage": size}), storage_class_name=class_, **spec
        ),
    )


def volume(
    name: str = "v",
    size: str = "1Gi",
    class_: str = "manual",
    labels: dict[str, str] | None = None,
    reserved: str = "",
    **spec: Any,
) -> PersistentVolume:
    """`reserved` is the name of the claim that it is for."""
    spec.setdefault("access_modes", ("ReadWriteOnce",))
    if "csi" not in spec:
        spec.setdefault("host_path", HostPathVolumeSource(path=f"/tmp/{name}"))
    if reserved:
        spec["claim_ref"] = ObjectReference(namespace="ns", name=reserved)
    return PersistentVolume(
        metadata=ObjectMeta(name=name, labels=labels or {}),
        spec=PersistentVolumeSpec(capacity={"storage": size}, storage_class_name=class_, **spec),
    )


async def make_class(w: World, name: str = "fast", provisioner: str = HOST_PATH, **fields: Any) -> StorageClass:
    return await w.client.create(StorageClass(metadata=ObjectMeta(name=name), provisioner=provisioner, **fields))


def pod_with(claim_name: str, name: str = "p", node: str = "") -> Pod:
    source = PersistentVolumeClaimVolumeSource(claim_name=claim_name)
    spec = PodSpec(
        containers=template().spec.containers,
        node_name=node,
        volumes=(Volume(name="v", persistent_volume_claim=source),),
    )
    return Pod(metadata=ObjectMeta(name=name, namespace="ns"), spec=spec)


async def phase(w: World, kind: type[PersistentVolume] | type[PersistentVolumeClaim], name: str) -> str:
    if kind is PersistentVolume:
        return (await w.client.get(PersistentVolume, name)).status.phase
    return (await w.client.get(PersistentVolumeClaim, name, "ns")).status.phase
