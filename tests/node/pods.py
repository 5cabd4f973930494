"""Pods for the tests of the node: short to write, complete enough to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Container, Pod, PodReadinessGate, PodSpec, PodStatus
from kcore.api.meta_v1 import ObjectMeta

NOW = 1_700_000_000.0
STAMP = "2023-11-14T22:13:20Z"
HOST_IP = "172.18.0.2"


def container(name: str = "app", image: str = "nginx:1", restart_policy: str | None = None) -> Container:
    return Container(name=name, image=image, restart_policy=restart_policy, image_pull_policy="IfNotPresent")


def pod(
    *,
    containers: Sequence[Container] = (container(),),
    init: Sequence[Container] = (),
    restart_policy: str = "Always",
    annotations: Mapping[str, str] | None = None,
    deleted_at: str | None = None,
    grace: int | None = None,
    gates: Sequence[str] = (),
    deadline: int | None = None,
    host_network: bool = False,
    status: PodStatus | None = None,
) -> Pod:
    return Pod(
        metadata=ObjectMeta(
            name="web",
            namespace="default",
            uid="uid-1",
            generation=3,
            annotations=annotations or {},
            deletion_timestamp=deleted_at,
            deletion_grace_period_seconds=grace,
        ),
        spec=PodSpec(
            node_name="node-0",
            containers=tuple(containers),
            init_containers=tuple(init),
            restart_policy=restart_policy,
            readiness_gates=tuple(PodReadinessGate(condition_type=gate) for gate in gates),
            active_deadline_seconds=deadline,
            host_network=host_network,
            termination_grace_period_seconds=30,
        ),
        status=status or PodStatus(phase="Pending", qos_class="BestEffort"),
    )
