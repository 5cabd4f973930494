"""What NodeResourcesFit and NodeResourcesBalancedAllocation can be told: strategies, resources, what to ignore."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import NodeAffinity, NodeSelector, Pod, PreferredSchedulingTerm, ResourceRequirements
from kcore.scheduler.config.args import (
    NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs,
    NodeResourcesFitArgs,
    RequestedToCapacityRatio,
    ResourceSpec,
    ScoringStrategy,
    ShapePoint,
)
from kcore.scheduler.plugins.node_affinity import ADDED_REASON
from kcore.scheduler.plugins.node_affinity import NodeAffinity as NodeAffinityPlugin
from kcore.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation, balance
from kcore.scheduler.plugins.node_resources_fit import NodeResourcesFit, most_requested, shape_table
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod, requirement, term
from tests.scheduler.judging import Bench

GPU = "example.com/gpu"
BACKENDS = pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
PACKED = RequestedToCapacityRatio(shape=(ShapePoint(0, 0), ShapePoint(100, 10)))


def strategy(
    kind: str, *resources: ResourceSpec, shape: RequestedToCapacityRatio | None = None
) -> NodeResourcesFitArgs:
    chosen = resources or (ResourceSpec("cpu"), ResourceSpec("memory"))
    return NodeResourcesFitArgs(
        scoring_strategy=ScoringStrategy(type=kind, resources=chosen, requested_to_capacity_ratio=shape)
    )


@pytest.mark.parametrize(
    ("args", "wanted", "score"),
    [
        (strategy("LeastAllocated"), pod(cpu="1", memory="4Gi"), 75),
        (strategy("MostAllocated"), pod(cpu="1", memory="4Gi"), 25),
        (strategy("MostAllocated", ResourceSpec("cpu", 3), ResourceSpec("memory", 1)), pod(cpu="4", memory="4Gi"), 81),
        (strategy("MostAllocated", ResourceSpec(GPU)), pod(more={GPU: "1"}), 50),
        (strategy("MostAllocated", ResourceSpec(GPU)), pod(cpu="1"), 0),
        (strategy("RequestedToCapacityRatio", shape=PACKED), pod(cpu="1", memory="8Gi"), 38),
        (strategy("RequestedToCapacityRatio", ResourceSpec("cpu"), shape=PACKED), pod(cpu="3"), 75),
    ],
)
def test_strategies(args: NodeResourcesFitArgs, wanted: Pod, score: int) -> None:
    bench = Bench(PLAIN)
    bench.use(NodeResourcesFit(args))
    bench.set_node(node("n", cpu="4", memory="16Gi", more={GPU: "2"}))
    assert bench.totals(wanted) == {"n": score}


@pytest.mark.parametrize(
    ("shape", "scores"),
    [
        ([(0, 0), (100, 10)], {0: 0, 50: 50, 100: 100}),
        ([(0, 10), (100, 0)], {0: 100, 33: 67, 100: 0}),
        ([(40, 2), (80, 10)], {0: 20, 40: 20, 60: 60, 80: 100, 100: 100}),
    ],
)
def test_shapes(shape: list[tuple[int, int]], scores: Mapping[int, int]) -> None:
    table = shape_table([ShapePoint(*point) for point in shape])
    assert {utilization: table[utilization] for utilization in scores} == scores


def test_a_node_that_would_be_overfull_counts_as_full() -> None:
    assert [most_requested(requested, 10) for requested in (0, 5, 10, 15)] == [0, 50, 100, 100]


@pytest.mark.parametrize(
    ("taken", "score"),
    [
        ([], 100),
        ([(1, 2)], 100),
        ([(1, 2), (1, 2), (1, 2)], 100),
        ([(2, 2), (0, 2), (1, 2)], 59),
        ([(1, 2), (1, 0)], 100),
    ],
)
def test_balance_of_any_number_of_resources(taken: list[tuple[int, int]], score: int) -> None:
    assert balance(taken) == score


STRATEGIES = [
    strategy("LeastAllocated", ResourceSpec("cpu", 2), ResourceSpec("memory"), ResourceSpec(GPU, 5)),
    strategy("MostAllocated", ResourceSpec("cpu"), ResourceSpec(GPU, 5)),
    strategy("RequestedToCapacityRatio", shape=PACKED),
    strategy(
        "RequestedToCapacityRatio",
        ResourceSpec("memory", 3),
        ResourceSpec(GPU),
        shape=RequestedToCapacityRatio(shape=(ShapePoint(20, 9), ShapePoint(70, 2))),
    ),
]


@BACKENDS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_columns_say_what_nodes_say(backend: Backend, data: st.DataObject) -> None:
    fit = NodeResourcesFit(data.draw(st.sampled_from(STRATEGIES)))
    three = NodeResourcesBalancedAllocationArgs(
        resources=(ResourceSpec("cpu"), ResourceSpec("memory"), ResourceSpec(GPU))
    )
    balanced = NodeResourcesBalancedAllocation(data.draw(st.sampled_from([None, three])))
    bench = Bench(backend)
    bench.use(fit)
    quantities = st.sampled_from(["", "100m", "1", "3"])
    for name in ("a", "b", "c"):
        cpu, gpus = data.draw(st.sampled_from(["0", "1", "4"])), data.draw(st.sampled_from(["0", "1", "7"]))
        bench.set_node(node(name, cpu=cpu, memory=data.draw(st.sampled_from(["0", "4Gi"])), more={GPU: gpus}))
        bench.set_pod(pod(cpu=data.draw(quantities), node_name=name, more=data.draw(st.sampled_from([{}, {GPU: "1"}]))))
    info = PodInfo(pod(cpu=data.draw(quantities), memory="1Gi", more=data.draw(st.sampled_from([{}, {GPU: "2"}]))))
    for plugin in (fit, balanced):
        scores = plugin.score_columns({}, info, bench.cache.columns)
        for name in ("a", "b", "c"):
            there = bench.cache[name]
            assert int(scores[there.row]) == plugin.score({}, info, there)


@pytest.mark.parametrize(
    ("args", "fits"),
    [
        (NodeResourcesFitArgs(), False),
        (NodeResourcesFitArgs(ignored_resources=(GPU,)), True),
        (NodeResourcesFitArgs(ignored_resource_groups=("example.com",)), True),
        (NodeResourcesFitArgs(ignored_resource_groups=("other.com",)), False),
    ],
)
def test_resources_that_are_left_to_others(args: NodeResourcesFitArgs, fits: bool) -> None:
    bench = Bench(PLAIN)
    bench.use(NodeResourcesFit(args))
    bench.set_node(node("n"))
    assert bool(bench.totals(pod(more={GPU: "1"}))) is fits


def test_what_a_pod_asks_for_as_a_whole_comes_before_its_containers() -> None:
    given_pod = pod(cpu="3", memory="1Gi")
    whole = replace(given_pod.spec, resources=ResourceRequirements(requests={"cpu": "1"}))
    info = PodInfo(replace(given_pod, spec=whole))
    assert info.requests == {"cpu": 1000, "memory": 2**30}
    assert info.nonzero_cpu == 1000


def test_a_profile_can_demand_and_prefer_nodes_for_all_its_pods() -> None:
    east, fast = term(requirement("zone", "In", "east")), term(requirement("disk", "In", "fast"))
    added = NodeAffinity(
        required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=(east,)),
        preferred_during_scheduling_ignored_during_execution=(PreferredSchedulingTerm(weight=5, preference=fast),),
    )
    bench = Bench(PLAIN)
    bench.use(NodeAffinityPlugin(NodeAffinityArgs(added_affinity=added)))
    bench.set_node(node("a", labels={"zone": "east"}))
    bench.set_node(node("b", labels={"zone": "east", "disk": "fast"}))
    bench.set_node(node("c", labels={"zone": "west", "disk": "fast"}))
    assert bench.totals(pod()) == {"a": 0, "b": 100}
    assert bench.statuses(pod())["c"].reasons == (ADDED_REASON,)
