"""Each plugin's pure rule, in tables."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import Container, ContainerPort, NodeSelectorTerm, Pod, PodSpec, ResourceRequirements, Toleration
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.node_affinity import fits, matches_requirement, preference
from kcore.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation, balance
from kcore.scheduler.plugins.node_resources_fit import NodeResourcesFit, insufficient, least_requested
from kcore.scheduler.plugins.taint_toleration import intolerable, tolerated, untolerated
from kcore.scheduler.pod_info import HostPort, PodInfo, requests_of
from tests.scheduler.clusters import node, pod, requirement, taint, term

DEDICATED = taint("dedicated", "db")


@pytest.mark.parametrize(
    ("toleration", "holds"),
    [
        (Toleration(key="dedicated", value="db", effect="NoSchedule"), True),
        (Toleration(key="dedicated", operator="Equal", value="db"), True),
        (Toleration(key="dedicated", value="web"), False),
        (Toleration(key="dedicated", operator="Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration(operator="Exists", effect="NoExecute"), False),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(key="dedicated", operator="Exists", effect="NoSchedule"), True),
    ],
)
def test_toleration_covers_taint(toleration: Toleration, holds: bool) -> None:
    assert tolerated(DEDICATED, [toleration]) is holds


def test_only_hard_taints_keep_pods_away() -> None:
    assert untolerated([taint(effect="NoSchedule")], [])
    assert untolerated([taint(effect="NoExecute")], [])
    assert not untolerated([taint(effect="PreferNoSchedule")], [])


def test_soft_taints_are_counted_unless_tolerated_for_that_effect() -> None:
    taints = [taint("a", effect="PreferNoSchedule"), taint("b", effect="PreferNoSchedule"), taint("c")]
    assert intolerable(taints, []) == 2
    assert intolerable(taints, [Toleration(key="a", operator="Exists")]) == 1
    assert intolerable(taints, [Toleration(key="a", operator="Exists", effect="NoSchedule")]) == 2


@pytest.mark.parametrize(
    ("operator", "values", "value", "holds"),
    [
        ("In", ["a", "b"], "a", True),
        ("In", ["a", "b"], None, False),
        ("NotIn", ["a"], "b", True),
        ("NotIn", ["a"], None, True),
        ("NotIn", ["a"], "a", False),
        ("Exists", [], "", True),
        ("Exists", [], None, False),
        ("DoesNotExist", [], None, True),
        ("DoesNotExist", [], "x", False),
        ("Gt", ["5"], "6", True),
        ("Gt", ["5"], "5", False),
        ("Gt", ["5"], "x", False),
        ("Gt", ["5"], None, False),
        ("Lt", ["5"], "4", True),
        ("Lt", ["x"], "4", False),
        ("Near", ["5"], "5", False),
    ],
)
def test_requirement(operator: str, values: list[str], value: str | None, holds: bool) -> None:
    assert matches_requirement(requirement("k", operator, *values), value) is holds


A, B = requirement("zone", "In", "a"), requirement("zone", "In", "b")
NAMED = requirement("metadata.name", "In", "n")


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        (pod(), True),
        (pod(selector={"zone": "a"}), True),
        (pod(selector={"zone": "b"}), False),
        (pod(selector={"zone": "a", "disk": "ssd"}), False),
        (pod(required=[term(A)]), True),
        (pod(required=[term(B), term(A)]), True),
        (pod(required=[term(A, B)]), False),
        (pod(required=[term()]), False),
        (pod(required=[]), False),
        (pod(required=[term(fields=[NAMED])]), True),
        (pod(required=[term(B, fields=[NAMED])]), False),
        (pod(required=[term(A)], selector={"zone": "b"}), False),
    ],
)
def test_affinity_fits(given: Pod, holds: bool) -> None:
    assert fits(given, node(labels={"zone": "a"})) is holds


def test_preferences_add_up() -> None:
    given = pod(preferred=[(10, term(A)), (5, term(B)), (1, NodeSelectorTerm())])
    affinity = given.spec.affinity
    assert affinity is not None
    assert affinity.node_affinity is not None
    wanted = affinity.node_affinity.preferred_during_scheduling_ignored_during_execution
    assert preference(wanted, node(labels={"zone": "a"})) == 11


def info(*pods: Pod, cpu: str = "4", memory: str = "8Gi", limit: str = "3") -> NodeInfo:
    found = NodeInfo("n", 0)
    found.set_node(node(cpu=cpu, memory=memory, pods=limit))
    for one in pods:
        found.add(PodInfo(one))
    return found


@pytest.mark.parametrize(
    ("given", "on_node", "reasons"),
    [
        (pod(cpu="4"), [], []),
        (pod(cpu="4"), [pod(cpu="1m")], [("Insufficient cpu", False)]),
        (pod(cpu="5"), [], [("Insufficient cpu", True)]),
        (pod(cpu="5", memory="9Gi"), [], [("Insufficient cpu", True), ("Insufficient memory", True)]),
        (pod(more={"example.com/gpu": "1"}), [], [("Insufficient example.com/gpu", True)]),
        (pod(more={"example.com/gpu": "0"}), [], []),
        (pod(), [pod(), pod(), pod()], [("Too many pods", False)]),
        (pod(), [pod(cpu="8")], []),
    ],
)
def test_fit(given: Pod, on_node: list[Pod], reasons: list[tuple[str, bool]]) -> None:
    assert [tuple(one) for one in insufficient(PodInfo(given).requests, info(*on_node))] == reasons


@pytest.mark.parametrize(
    ("requested", "allocatable", "score"), [(0, 10, 100), (10, 10, 0), (11, 10, 0), (1, 3, 66), (5, 0, 0)]
)
def test_least_requested(requested: int, allocatable: int, score: int) -> None:
    assert least_requested(requested, allocatable) == score


def test_scoring_counts_a_pod_without_requests_as_a_small_one() -> None:
    # 100m of 4 cores leave 97 %, 200Mi of 8Gi leave 97 %.
    assert NodeResourcesFit().score({}, PodInfo(pod()), info()) == 97


@pytest.mark.parametrize(
    ("cpu", "memory", "score"),
    [((1, 2), (1, 2), 100), ((2, 2), (0, 2), 50), ((1, 2), (0, 2), 75), ((9, 2), (2, 2), 100), ((1, 0), (1, 2), 100)],
)
def test_balance(cpu: tuple[int, int], memory: tuple[int, int], score: int) -> None:
    assert balance([cpu, memory]) == score


@pytest.mark.parametrize(
    ("given", "on_node", "score"),
    [
        (pod(cpu="2", memory="4Gi"), [], 75),  # balanced before and after
        (pod(cpu="2"), [pod(memory="4Gi")], 87),  # mends a quarter of imbalance
        (pod(cpu="2"), [], 62),  # makes as much
    ],
)
def test_balanced_allocation_scores_the_change(given: Pod, on_node: list[Pod], score: int) -> None:
    assert NodeResourcesBalancedAllocation().score({}, PodInfo(given), info(*on_node)) == score


@pytest.mark.parametrize(
    ("wanted", "conflict"),
    [
        (HostPort("0.0.0.0", "TCP", 80), True),
        (HostPort("0.0.0.0", "UDP", 80), False),
        (HostPort("10.0.0.1", "TCP", 80), True),
        (HostPort("0.0.0.0", "TCP", 81), False),
        (HostPort("10.0.0.1", "TCP", 443), True),
        (HostPort("10.0.0.2", "TCP", 443), False),
        (HostPort("0.0.0.0", "TCP", 443), True),
    ],
)
def test_host_ports(wanted: HostPort, conflict: bool) -> None:
    ports = [ContainerPort(container_port=80, host_port=80), ContainerPort(host_ip="10.0.0.1", host_port=443)]
    found = info(pod(ports=ports))
    assert found.conflicts([wanted]) is conflict


def container(cpu: str, *, always: bool = False) -> Container:
    resources = ResourceRequirements(requests={"cpu": cpu} if cpu else {})
    return Container(name="c", restart_policy="Always" if always else None, resources=resources)


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        (PodSpec(containers=(container("1"), container("500m"))), 1500),
        (PodSpec(containers=(container("1"),), init_containers=(container("3"), container("2"))), 3000),
        (PodSpec(containers=(container("1"),), init_containers=(container("1", always=True), container("3"))), 4000),
        (PodSpec(containers=(container("4"),), init_containers=(container("1", always=True), container("3"))), 5000),
        (PodSpec(containers=(container("4"),), init_containers=(container("5"), container("1", always=True))), 5000),
        (PodSpec(containers=(container("1"),), overhead={"cpu": "250m"}), 1250),
        (PodSpec(containers=(container("1"),), resources=ResourceRequirements(requests={"cpu": "2"})), 2000),
    ],
)
def test_requests_of_a_pod(spec: PodSpec, cpu: int) -> None:
    assert requests_of(spec)["cpu"] == cpu


def test_defaults_stand_in_for_each_container_without_a_request() -> None:
    spec = PodSpec(containers=(container(""), container("1")))
    assert requests_of(spec, {"cpu": 100})["cpu"] == 1100
