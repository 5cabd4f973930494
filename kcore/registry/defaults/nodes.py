"""Defaults of Nodes and Namespaces."""

from __future__ import annotations

from kcore.api.core_v1 import Namespace, Node
from kcore.api.schema import fill

__all__ = ["default_namespace", "default_node"]

_NAME_LABEL = "kubernetes.io/metadata.name"


def default_node(node: Node) -> None:
    spec, status = node.spec, node.status
    # podCIDR is the first of podCIDRs; where they disagree, the client knew only the former.
    if spec.pod_cidr and spec.pod_cidrs[:1] != (spec.pod_cidr,):
        fill(spec, pod_cidrs=(spec.pod_cidr,))
    elif spec.pod_cidrs:
        fill(spec, pod_cidr=spec.pod_cidrs[0])
    if status.capacity and not status.allocatable:
        fill(status, allocatable=dict(status.capacity))


def default_namespace(namespace: Namespace) -> None:
    metadata = namespace.metadata
    if metadata.name and metadata.labels.get(_NAME_LABEL) != metadata.name:
        fill(metadata, labels={**metadata.labels, _NAME_LABEL: metadata.name})
    if not namespace.status.phase:
        fill(namespace.status, phase="Active")
