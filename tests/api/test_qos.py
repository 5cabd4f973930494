"""Quality of service classes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kcore.api.core_v1 import Container, PodSpec, ResourceRequirements
from kcore.api.qos import qos_class

BOTH = {"cpu": "1", "memory": "1Gi"}
Amounts = Mapping[str, str]


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([({}, {})], "BestEffort"),
        ([({"cpu": "0"}, {})], "BestEffort"),
        ([(BOTH, BOTH)], "Guaranteed"),
        ([(BOTH, {"cpu": "1000m", "memory": "1024Mi"})], "Guaranteed"),
        ([(BOTH, BOTH), (BOTH, BOTH)], "Guaranteed"),
        ([(BOTH, BOTH), ({}, {})], "Burstable"),
        ([({"cpu": "1"}, {"cpu": "1"})], "Burstable"),
        ([(BOTH, {"cpu": "1", "memory": "2Gi"})], "Burstable"),
        ([({"ephemeral-storage": "1Gi"}, {})], "BestEffort"),
    ],
)
def test_requests_and_limits_make_the_class(containers: list[tuple[Amounts, Amounts]], expected: str) -> None:
    made = tuple(Container(resources=ResourceRequirements(requests=r, limits=m)) for r, m in containers)
    assert qos_class(PodSpec(containers=made)) == expected
    assert qos_class(PodSpec(init_containers=made)) == expected


def test_resources_of_the_whole_pod_decide_alone() -> None:
    whole = ResourceRequirements(requests=BOTH, limits=BOTH)
    assert qos_class(PodSpec(containers=(Container(),), resources=whole)) == "Guaranteed"
