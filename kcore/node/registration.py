"""What a node says of itself: its object, its lease, its status. Pure functions of what it is and when."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from hashlib import sha1

from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.api.timestamp import format_micro, format_seconds
from kcore.node.runtime import Image

__all__ = [
    "LEASE_NAMESPACE",
    "LEASE_SECONDS",
    "NodeProfile",
    "NodeShape",
    "internal_ip",
    "new_lease",
    "new_node",
    "node_status",
    "runtime_of",
]

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RUNTIME_ANNOTATION = "kcore.dev/runtime"
KWOK_ANNOTATION = "kwok.x-k8s.io/node"

# type, status, reason, message: the kubelet's words where all is well.
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
_UNDER_PRESSURE = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}
_UNINITIALIZED = Taint(key="node.cloudprovider.kubernetes.io/uninitialized", value="true", effect="NoSchedule")
MOST_IMAGES = 50
_NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What nodes have to give, and the versions that they claim."""

    cpu: str = "32"
    memory: str = "256Gi"
    ephemeral_storage: str = "100Gi"
    pods: str = "110"
    kubelet_version: str = "v1.36.0"
    architecture: str = "amd64"
    kernel_version: str = "6.12.0"
    os_image: str = "kcore"
    extended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_machine(cls) -> NodeShape:
        """What this machine has."""
        system, disk = os.uname(), os.statvfs("/")
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(
            cpu=str(os.cpu_count() or 1),
            memory=f"{memory // 1024}Ki",
            ephemeral_storage=f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
            architecture={"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine),
            kernel_version=system.release,
            os_image=system.sysname,
        )

    def with_capacity(self, given: Mapping[str, str]) -> NodeShape:
        """The same, but for what `given` says; resources that have no name here are extended ones."""
        known = {"cpu", "memory", "ephemeral-storage", "pods"}
        own = {name.replace("-", "_"): amount for name, amount in given.items() if name in known}
        return replaced(self, **own, extended={n: a for n, a in given.items() if n not in known})

    @property
    def capacity(self) -> Mapping[str, str]:
        return {
            "cpu": self.cpu,
            "ephemeral-storage": self.ephemeral_storage,
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "memory": self.memory,
            "pods": self.pods,
            **self.extended,
        }


def runtime_of(node: Node) -> str:
    """The runtime that a node asks this process to run its pods with; empty: it is none of ours."""
    annotations = node.metadata.annotations
    runtime = annotations.get(RUNTIME_ANNOTATION, "")
    return runtime or ("fake" if annotations.get(KWOK_ANNOTATION) == "fake" else "")


def internal_ip(node: Node) -> str:
    """The node's own address, if it says one."""
    return next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What nodes of this process are like when they register."""

    shape: NodeShape = field(default_factory=NodeShape)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    cloud_provider: str = ""
    annotated: bool = True
    """Whether a node says which runtime of this process is its own; one that has a process to itself need not."""


def new_node(name: str, runtime: str, profile: NodeProfile, pod_cidr: str) -> Node:
    """A node as it registers itself."""
    shape, taints = profile.shape, tuple(profile.taints)
    if profile.cloud_provider == "external":
        taints = (*taints, _UNINITIALIZED)
    labels = {
        **profile.labels,
        "beta.kubernetes.io/arch": shape.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": shape.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    annotations = {RUNTIME_ANNOTATION: runtime} if profile.annotated else {}
    annotations |= {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return Node(
        metadata=ObjectMeta(name=name, labels=labels, annotations=annotations),
        spec=NodeSpec(pod_cidr=pod_cidr, pod_cidrs=(pod_cidr,), taints=taints),
    )


def new_lease(node: Node, now: float) -> Lease:
    """A node's first sign of life. It goes when the node goes."""
    name = node.metadata.name
    owner = OwnerReference(api_version="v1", kind="Node", name=name, uid=node.metadata.uid)
    return Lease(
        metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE, owner_references=(owner,)),
        spec=LeaseSpec(holder_identity=name, lease_duration_seconds=LEASE_SECONDS, renew_time=format_micro(now)),
    )


def node_status(
    node: Node,
    shape: NodeShape,
    runtime_version: str,
    host_ip: str,
    now: float,
    *,
    kubelet_port: int = 0,
    heartbeat: bool = True,
    pressures: Collection[str] = (),
    images: Sequence[tuple[str, Image]] = (),
) -> NodeStatus:
    """The status of a node that lives, short of what `pressures` name. What a hand-made one says of its size and
    addresses is kept; without `heartbeat`, conditions that say the right thing already keep their times, so that
    nothing may differ at all."""
    old, name = node.status, node.metadata.name
    hostname = NodeAddress(type="Hostname", address=name)
    capacity = old.capacity or old.allocatable or shape.capacity
    return replace(
        old,
        addresses=old.addresses or (NodeAddress(type="InternalIP", address=host_ip), hostname),
        capacity=capacity,
        allocatable=old.allocatable or capacity,
        conditions=_conditions(node, format_seconds(now), heartbeat, pressures),
        images=tuple(_image(name, image) for name, image in images[:MOST_IMAGES]) or old.images,
        daemon_endpoints=_endpoints(kubelet_port) if kubelet_port else old.daemon_endpoints,
        node_info=_system_info(name, shape, runtime_version) if not old.node_info.kubelet_version else old.node_info,
    )


def _endpoints(kubelet_port: int) -> NodeDaemonEndpoints:
    return NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=kubelet_port))


def _image(name: str, image: Image) -> ContainerImage:
    return ContainerImage(names=(image.id, name) if "@" in image.id else (name,), size_bytes=image.size_bytes)


def _conditions(node: Node, stamp: str, heartbeat: bool, pressures: Collection[str]) -> tuple[NodeCondition, ...]:
    standing = {condition.type: condition for condition in node.status.conditions}
    own = []
    for type_, status, reason, message in _CONDITIONS:
        if type_ == "Ready" and not node.spec.pod_cidr:
            status, reason, message = "False", "KubeletNotReady", _NO_NETWORK
        if type_ in pressures:
            status, (reason, message) = "True", _UNDER_PRESSURE[type_]
        old = standing.pop(type_, None)
        right = old is not None and (old.status, old.reason, old.message) == (status, reason, message)
        if old is not None and right and not heartbeat:
            own.append(old)
            continue
        since = old.last_transition_time if old is not None and old.status == status else stamp
        own.append(
            NodeCondition(
                type=type_,
                status=status,
                reason=reason,
                message=message,
                last_heartbeat_time=stamp,
                last_transition_time=since,
            )
        )
    return (*standing.values(), *own)


def _system_info(name: str, shape: NodeShape, runtime_version: str) -> NodeSystemInfo:
    return NodeSystemInfo(
        architecture=shape.architecture,
        boot_id=_id("boot", name),
        container_runtime_version=runtime_version,
        kernel_version=shape.kernel_version,
        kubelet_version=shape.kubelet_version,
        machine_id=_id("machine", name).replace("-", ""),
        operating_system="linux",
        os_image=shape.os_image,
        system_uuid=_id("system", name),
    )


def _id(what: str, name: str) -> str:
    """A UUID that is always the same for a node."""
    digits = sha1(f"kcore/{what}/{name}".encode(), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[12:15]}-a{digits[15:18]}-{digits[18:30]}"
