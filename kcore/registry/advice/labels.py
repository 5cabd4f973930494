"""Labels of nodes that have other names now."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import NodeSelectorTerm
from kcore.api.field import Path
from kcore.api.meta_v1 import LabelSelector
from kcore.api.node_v1 import RuntimeClass
from kcore.api.storage_v1 import CSIStorageCapacity, StorageClass

__all__ = [
    "OLD_NODE_LABELS",
    "node_selector_advice",
    "node_term_advice",
    "runtime_class_advice",
    "storage_capacity_advice",
    "storage_class_advice",
]

OLD_NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def node_term_advice(term: NodeSelectorTerm, path: Path, *, lenient: bool = False) -> Iterator[str]:
    """`lenient`: no rule looks at the values, so they may be such as no label has."""
    for i, expression in enumerate(term.match_expressions):
        at = path / "matchExpressions" @ i
        if expression.key in OLD_NODE_LABELS:
            yield f"{at / 'key'}: {expression.key} is {OLD_NODE_LABELS[expression.key]}"
        for j, value in enumerate(expression.values if lenient else ()):
            for message in names.label_value(value):
                yield f"{at / 'values' @ j}: {value} is invalid, {message}"


def node_selector_advice(selector: LabelSelector | None, path: Path) -> Iterator[str]:
    if selector is None:
        return
    for i, expression in enumerate(selector.match_expressions):
        if expression.key in OLD_NODE_LABELS:
            at = path / "matchExpressions" @ i / "key"
            yield f"{at}: {expression.key} is {OLD_NODE_LABELS[expression.key]}"
    for label in sorted(selector.match_labels):
        if label in OLD_NODE_LABELS:
            yield f"{path / 'matchLabels' / label}: {OLD_NODE_LABELS[label]}"


def runtime_class_advice(new: RuntimeClass, old: RuntimeClass | None) -> Iterator[str]:
    for key in sorted(new.scheduling.node_selector if new.scheduling is not None else ()):
        if key in OLD_NODE_LABELS:
            yield f"scheduling.nodeSelector: {OLD_NODE_LABELS[key]}"


def storage_capacity_advice(new: CSIStorageCapacity, old: CSIStorageCapacity | None) -> Iterator[str]:
    yield from node_selector_advice(new.node_topology, Path("nodeTopology"))


def storage_class_advice(new: StorageClass, old: StorageClass | None) -> Iterator[str]:
    for i, term in enumerate(new.allowed_topologies):
        for j, expression in enumerate(term.match_label_expressions):
            if expression.key in OLD_NODE_LABELS:
                at = Path("allowedTopologies") @ i / "matchLabelExpressions" @ j / "key"
                yield f"{at}: {expression.key} is {OLD_NODE_LABELS[expression.key]}"
