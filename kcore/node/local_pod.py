"""What a kubelet knows of a pod beyond its object, and when it has to look at it again."""

from __future__ import annotations

from kcore.api.core_v1 import Pod
from kcore.node.allocation import Allocation
from kcore.node.nodes import ServedNode
from kcore.node.pod_phase import PodPhase
from kcore.node.runtime import NOTHING, RuntimeState

__all__ = ["LocalPod", "question"]


class LocalPod:
    """Only `PodKeeper` writes here."""

    __slots__ = ("allocation", "answered", "key", "node", "rejected", "reported", "seen", "stepping", "uid", "wake_at")

    def __init__(self, key: str, pod: Pod, node: ServedNode) -> None:
        self.key = key
        self.uid = pod.metadata.uid
        self.allocation = Allocation(pod)
        self.node = node
        self.reported: RuntimeState = NOTHING
        """The runtime state of which events have been told."""
        self.seen: Pod | None = None
        self.answered: object = None
        """The `question` to which the pod's status is the answer."""
        self.wake_at: float | None = None
        self.stepping = False
        self.rejected: PodPhase | None = None
        """Why the node did not take it."""


def question(pod: Pod, node: ServedNode) -> object:
    """What of a pod, beside its runtime, its status is the answer to."""
    metadata, status = pod.metadata, pod.status
    if not node.runtime.editable:
        return metadata.resource_version
    gates = [gate.condition_type for gate in pod.spec.readiness_gates]
    open_gates = [c.type for c in status.conditions if c.type in gates and c.status == "True"] if gates else None
    return metadata.generation, metadata.deletion_timestamp, status.phase, status.pod_ip, open_gates
