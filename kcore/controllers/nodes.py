"""What controllers ask of a node."""

from __future__ import annotations

from kcore.api.core_v1 import Node, NodeCondition

__all__ = ["OUT_OF_SERVICE", "condition", "is_out_of_service", "is_ready"]

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def condition(node: Node, type_: str) -> NodeCondition | None:
    return next((found for found in node.status.conditions if found.type == type_), None)


def is_ready(node: Node) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready.status == "True"


def is_out_of_service(node: Node) -> bool:
    """Whether somebody has vouched that the node is down, so that its pods and volumes may be taken (KEP-2268)."""
    return not is_ready(node) and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)
