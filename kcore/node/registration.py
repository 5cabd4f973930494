"""What a node says of itself: its object, its lease, its status. Pure functions of what it is and when."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.core_v1 import (
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.api.timestamp import format_micro, format_seconds

__all__ = [
    "LEASE_NAMESPACE",
    "LEASE_SECONDS",
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
_NAMES = uuid.UUID("6f1c3b0e-6d0e-5c6e-9d3a-0d6b0a3f5a11")

# type, status, reason, message: the kubelet's words where all is well.
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
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

    @property
    def capacity(self) -> Mapping[str, str]:
        return {
            "cpu": self.cpu,
            "ephemeral-storage": self.ephemeral_storage,
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "memory": self.memory,
            "pods": self.pods,
        }


def runtime_of(node: Node) -> str:
    """The runtime that a node asks this process to run its pods with; empty: it is none of ours."""
    annotations = node.metadata.annotations
    runtime = annotations.get(RUNTIME_ANNOTATION, "")
    return runtime or ("fake" if annotations.get(KWOK_ANNOTATION) == "fake" else "")


def internal_ip(node: Node) -> str:
    """The node's own address, if it says one."""
    return next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")


def new_node(name: str, runtime: str, shape: NodeShape, pod_cidr: str) -> Node:
    """A node as it registers itself."""
    labels = {
        "beta.kubernetes.io/arch": shape.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": shape.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    annotations = {RUNTIME_ANNOTATION: runtime, "volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return Node(
        metadata=ObjectMeta(name=name, labels=labels, annotations=annotations),
        spec=NodeSpec(pod_cidr=pod_cidr, pod_cidrs=(pod_cidr,)),
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
) -> NodeStatus:
    """The status of a healthy node. What a hand-made one says of its size and addresses is kept; without
    `heartbeat`, conditions that say the right thing already keep their times, so that nothing may differ at all."""
    old, name = node.status, node.metadata.name
    hostname = NodeAddress(type="Hostname", address=name)
    capacity = old.capacity or old.allocatable or shape.capacity
    return replace(
        old,
        addresses=old.addresses or (NodeAddress(type="InternalIP", address=host_ip), hostname),
        capacity=capacity,
        allocatable=old.allocatable or capacity,
        conditions=_conditions(node, format_seconds(now), heartbeat),
        daemon_endpoints=_endpoints(kubelet_port) if kubelet_port else old.daemon_endpoints,
        node_info=_system_info(name, shape, runtime_version) if not old.node_info.kubelet_version else old.node_info,
    )


def _endpoints(kubelet_port: int) -> NodeDaemonEndpoints:
    return NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=kubelet_port))


def _conditions(node: Node, stamp: str, heartbeat: bool) -> tuple[NodeCondition, ...]:
    standing = {condition.type: condition for condition in node.status.conditions}
    own = []
    for type_, status, reason, message in _CONDITIONS:
        if type_ == "Ready" and not node.spec.pod_cidr:
            status, reason, message = "False", "KubeletNotReady", _NO_NETWORK
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
        boot_id=str(uuid.uuid5(_NAMES, f"boot/{name}")),
        container_runtime_version=runtime_version,
        kernel_version=shape.kernel_version,
        kubelet_version=shape.kubelet_version,
        machine_id=uuid.uuid5(_NAMES, f"machine/{name}").hex,
        operating_system="linux",
        os_image=shape.os_image,
        system_uuid=str(uuid.uuid5(_NAMES, f"system/{name}")),
    )
