"""Nodes and pods for the tests of the scheduler: short to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from kcore.api.core_v1 import (
    Affinity,
    Container,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSchedulingGate,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Taint,
    Toleration,
)
from kcore.api.meta_v1 import ObjectMeta

_uids = count()


def node(
    name: str = "n",
    *,
    cpu: str = "4",
    memory: str = "16Gi",
    pods: str = "110",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Taint] = (),
    unschedulable: bool = False,
    more: Mapping[str, str] | None = None,
) -> Node:
    return Node(
        metadata=ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **(labels or {})}),
        spec=NodeSpec(taints=tuple(taints), unschedulable=unschedulable),
        status=NodeStatus(allocatable={"cpu": cpu, "memory": memory, "pods": pods, **(more or {})}),
    )


def taint(key: str = "dedicated", value: str = "", effect: str = "NoSchedule") -> Taint:
    return Taint(key=key, value=value, effect=effect)


def requirement(key: str, operator: str, *values: str) -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key=key, operator=operator, values=values)


def term(*expressions: NodeSelectorRequirement, fields: Sequence[NodeSelectorRequirement] = ()) -> NodeSelectorTerm:
    return NodeSelectorTerm(match_expressions=expressions, match_fields=tuple(fields))


def pod(
    name: str = "p",
    *,
    cpu: str = "",
    memory: str = "",
    more: Mapping[str, str] | None = None,
    node_name: str = "",
    selector: Mapping[str, str] | None = None,
    required: Sequence[NodeSelectorTerm] | None = None,
    preferred: Sequence[tuple[int, NodeSelectorTerm]] = (),
    tolerations: Sequence[Toleration] = (),
    ports: Sequence[ContainerPort] = (),
    gates: Sequence[str] = (),
    priority: int = 0,
    preemption_policy: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Pod:
    requests = {"cpu": cpu, "memory": memory, **(more or {})}
    affinity = None
    if required is not None or preferred:
        affinity = Affinity(
            node_affinity=NodeAffinity(
                required_during_scheduling_ignored_during_execution=(
                    NodeSelector(node_selector_terms=tuple(required)) if required is not None else None
                ),
                preferred_during_scheduling_ignored_during_execution=tuple(
                    PreferredSchedulingTerm(weight=weight, preference=preference) for weight, preference in preferred
                ),
            )
        )
    resources = ResourceRequirements(requests={name: value for name, value in requests.items() if value})
    return Pod(
        metadata=ObjectMeta(name=name, namespace="ns", uid=f"uid-{next(_uids)}", labels=labels or {}),
        spec=PodSpec(
            containers=(Container(name="app", image="app", resources=resources, ports=tuple(ports)),),
            node_name=node_name,
            node_selector=selector or {},
            affinity=affinity,
            tolerations=tuple(tolerations),
            scheduling_gates=tuple(PodSchedulingGate(name=gate) for gate in gates),
            scheduler_name="default-scheduler",
            restart_policy="Always",
            priority=priority,
            preemption_policy=preemption_policy,
        ),
    )
