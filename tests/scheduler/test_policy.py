"""Policy files: the names of the first schedulers, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore.api.core_v1 import Node, Pod, Service, ServiceSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.yaml_syntax import parse_yaml
from kcore.client.client import WatchEvent, WatchType
from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.plan import make_profile
from kcore.scheduler.config.policy import load_policy, parse_policy, register_priority
from kcore.scheduler.config.registry import plugin_registry
from kcore.scheduler.plugins.policy.resource_priorities import (
    BalancedResources,
    LeastRequested,
    balanced_points,
    unused_points,
)
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import handle_for
from tests.scheduler.test_scheduler import scheduled, where


def bench_with(text: str, *services: Service) -> Bench:
    plan = parse_policy(parse_yaml(f"kind: Policy\napiVersion: v1\n{text}".encode()).tree, plugin_registry())
    bench = Bench(PLAIN)
    handle = handle_for(bench.cache)
    bench.profile = make_profile(plan.profiles[0], handle)
    for service in services:
        handle.informers.of(Service)._apply([WatchEvent(WatchType.ADDED, service)])
    return bench


def filters(profile: Profile) -> list[str]:
    return [judge.plugin.name for judge in profile.filter]


MANDATORY = ["NodeUnschedulable", "TaintToleration"]
ARTICLE = ["VolumeRestrictions", "NodeResourcesFit", "NodeAffinity", "NodeName", "NodePorts"]


def test_a_policy_that_says_nothing_has_five_predicates_and_three_priorities() -> None:
    profile = bench_with("").profile
    assert filters(profile) == [*MANDATORY, *ARTICLE]
    assert {scorer.plugin.name: scorer.weight for scorer in profile.score} == {
        "LeastRequestedPriority": 1,
        "BalancedResourceAllocation": 1,
        "ServiceSpreadingPriority": 1,
    }


@pytest.mark.parametrize(
    ("predicates", "names"),
    [
        ("[]", []),
        ("[{name: PodFitsPorts}, {name: PodFitsHost}]", ["NodePorts", "NodeName"]),
        ("[{name: HostName}, {name: MatchNodeSelector}]", ["NodeName", "NodeAffinity"]),
        ("[{name: Mine, argument: {labelsPresence: {labels: [x], presence: true}}}]", ["Mine"]),
        ("[{name: CheckServiceAffinity, argument: {serviceAffinity: {labels: [zone]}}}]", ["CheckServiceAffinity"]),
        ("[{name: InterPodAffinity}]", ["InterPodAffinity"]),
    ],
)
def test_predicates_by_name(predicates: str, names: list[str]) -> None:
    assert filters(bench_with(f"predicates: {predicates}").profile) == [*MANDATORY, *names]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "predicates: [{name: PodFitsAll}]",
            "unknown predicate 'PodFitsAll'; there are NoDiskConflict, PodFits",
        ),
        (
            "priorities: [{name: Best, weight: 1}]",
            "unknown priority 'Best'; there are LeastRequestedPriority, ",
        ),
        ("priorities: [{name: EqualPriority}]", "priority EqualPriority should have a positive weight applied to it"),
        ("predicates: [{name: CheckNodeLabelPresence}]", "predicate CheckNodeLabelPresence needs an argument: labels"),
        ("priorities: [{name: CalculateNodeLabelPriority, weight: 1}]", "needs an argument: labelPreference"),
        ("predicate: []", 'unknown field "predicate"'),
    ],
)
def test_what_is_wrong_with_a_policy(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench_with(text)
    assert message in str(caught.value)


def test_a_file_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{"kind": "Policy", "apiVersion": "v1", "predicates": [{"name": "PodFitsPorts"}]}')
    assert load_policy(path, plugin_registry()).profiles[0].scheduler_name == "default-scheduler"


@pytest.mark.parametrize(
    ("requested", "capacity", "points"), [(0, 10, 10), (5, 10, 5), (1, 3, 6), (10, 10, 0), (11, 10, 0), (1, 0, 0)]
)
def test_unused_points(requested: int, capacity: int, points: int) -> None:
    assert unused_points(requested, capacity) == points


@pytest.mark.parametrize(
    ("cpu", "memory", "points"), [((1, 2), (1, 2), 10), ((1, 2), (0, 2), 5), ((2, 2), (0, 2), 0), ((1, 0), (0, 2), 0)]
)
def test_balanced_points(cpu: tuple[int, int], memory: tuple[int, int], points: int) -> None:
    assert balanced_points(*cpu, *memory) == points


@pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_columns_say_what_nodes_say(backend: Backend, data: st.DataObject) -> None:
    bench = Bench(backend)
    quantities = st.sampled_from(["", "100m", "1", "3"])
    for name in ("a", "b", "c"):
        cpu, memory = data.draw(st.sampled_from(["0", "1", "4"])), data.draw(st.sampled_from(["0", "1Gi", "4Gi"]))
        bench.set_node(node(name, cpu=cpu, memory=memory))
        bench.set_pod(pod(cpu=data.draw(quantities), node_name=name))
    info = PodInfo(pod(cpu=data.draw(quantities), memory=data.draw(st.sampled_from(["", "1Gi"]))))
    for plugin in (LeastRequested("a"), BalancedResources("b")):
        scores = plugin.score_columns({}, info, bench.cache.columns)
        for name in ("a", "b", "c"):
            assert int(scores[bench.cache[name].row]) == plugin.score({}, info, bench.cache[name])


@pytest.mark.parametrize(("presence", "totals"), [("true", {"a": 200, "b": 0}), ("false", {"a": 0, "b": 200})])
def test_a_label_is_worth_all_or_nothing(presence: str, totals: Mapping[str, int]) -> None:
    argument = f"{{labelPreference: {{label: fast, presence: {presence}}}}}"
    bench = bench_with(f"predicates: []\npriorities: [{{name: Fast, weight: 2, argument: {argument}}}]")
    bench.set_node(node("a", labels={"fast": ""}))
    bench.set_node(node("b"))
    assert bench.totals(pod()) == totals


@pytest.mark.parametrize(("presence", "fitting"), [("true", {"a"}), ("false", {"c"})])
def test_all_labels_must_be_there_or_none(presence: str, fitting: set[str]) -> None:
    argument = f"{{labelsPresence: {{labels: [x, z], presence: {presence}}}}}"
    bench = bench_with(f"predicates: [{{name: XY, argument: {argument}}}]\npriorities: []")
    bench.set_node(node("a", labels={"x": "1", "z": "2"}))
    bench.set_node(node("b", labels={"x": "1"}))
    bench.set_node(node("c"))
    assert bench.totals(pod()).keys() == fitting


SERVICE = Service(metadata=ObjectMeta(name="s", namespace="ns"), spec=ServiceSpec(selector={"app": "web"}))


def web(name: str = "p", node_name: str = "", selector: Mapping[str, str] | None = None) -> Pod:
    return pod(name, labels={"app": "web"}, node_name=node_name, selector=selector)


def test_pods_of_a_service_stay_in_the_zone_of_its_first() -> None:
    argument = "{serviceAffinity: {labels: [zone]}}"
    bench = bench_with(f"predicates: [{{name: Together, argument: {argument}}}]\npriorities: []", SERVICE)
    for name, zone in (("a", "east"), ("b", "east"), ("c", "west")):
        bench.set_node(node(name, labels={"zone": zone}))
    assert bench.totals(web()).keys() == {"a", "b", "c"}
    bench.set_pod(web("first", "b"))
    assert bench.totals(web()).keys() == {"a", "b"}
    assert bench.totals(pod()).keys() == {"a", "b", "c"}
    assert bench.totals(web(selector={"zone": "west"})).keys() == {"c"}


def test_pods_of_a_service_are_spread_over_nodes() -> None:
    bench = bench_with("predicates: []\npriorities: [{name: ServiceSpreadingPriority, weight: 1}]", SERVICE)
    for name in ("a", "b", "c"):
        bench.set_node(node(name))
    for name in ("a", "a", "a", "b", "b"):
        bench.set_pod(web("p", name))
    bench.set_pod(pod(node_name="c"))
    assert bench.totals(web()) == {"a": 0, "b": 30, "c": 100}
    bench.set_pod(web("p", "c"))
    assert bench.totals(web()) == {"a": 0, "b": 30, "c": 60}
    assert bench.totals(pod()) == {"a": 100, "b": 100, "c": 100}


def test_pods_of_a_service_are_spread_over_the_values_of_a_label() -> None:
    argument = "{serviceAntiAffinity: {label: zone}}"
    bench = bench_with(f"predicates: []\npriorities: [{{name: Apart, weight: 1, argument: {argument}}}]", SERVICE)
    for name, zone in (("a", "east"), ("b", "east"), ("c", "west"), ("d", "north")):
        bench.set_node(node(name, labels={"zone": zone}))
    bench.set_node(node("nowhere"))
    assert bench.totals(web()) == {"a": 100, "b": 100, "c": 100, "d": 100, "nowhere": 0}
    for name in ("a", "b", "c"):
        bench.set_pod(web("p", name))
    bench.set_pod(pod(node_name="d"))
    assert bench.totals(web()) == {"a": 30, "b": 30, "c": 60, "d": 100, "nowhere": 0}
    bench.set_pod(web("p", "d"))
    assert bench.totals(web()) == {"a": 50, "b": 50, "c": 70, "d": 70, "nowhere": 0}


def prefers_c(given: Pod, there: Node) -> int:
    return 7 if there.metadata.name == "c" else 0


def test_a_function_can_be_a_priority() -> None:
    register_priority("PreferC", prefers_c)
    by_name = "{name: PreferC, weight: 1}"
    by_argument = f"{{name: AlsoC, weight: 2, argument: {{function: '{__name__}:prefers_c'}}}}"
    bench = bench_with(f"predicates: []\npriorities: [{by_name}, {by_argument}]")
    bench.set_node(node("a"))
    bench.set_node(node("c"))
    assert bench.totals(pod()) == {"a": 0, "c": 210}


async def test_a_cluster_schedules_by_a_policy() -> None:
    text = "kind: Policy\npredicates: [{name: Fast, argument: {labelsPresence: {labels: [fast], presence: true}}}]"
    plan = parse_policy(parse_yaml(text.encode()).tree, plugin_registry())
    async with scheduled(node("a"), node("b", labels={"fast": "yes"}), plan=plan) as w:
        for number in range(3):
            await w.client.create(pod(f"p{number}"))
        await w.settle()
        assert [await where(w, f"p{number}") for number in range(3)] == ["b"] * 3
