"""Each decision, with all nodes looked at, is worth at least as much as one over a sample of them, as upstream takes.

What nodes are worth is worked out from the documented formulas, over all nodes that fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    Affinity,
    Node,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from kcore.api.meta_v1 import LabelSelector
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import default_profile
from tests.scheduler.reference import Cluster, affinity_allows, affinity_scores, spread_allows, spread_scores
from tests.scheduler.reference_plugins import fits, scores

NODES = 130
MANY = [pytest.mark.soak, pytest.mark.timeout(900)]
BLUE = LabelSelector(match_labels={"color": "blue"})


class IndexedCluster(Cluster):
    """The reference's cluster, quicker to ask who is on a node."""

    def __init__(self) -> None:
        super().__init__()
        self._on: dict[str, list[Pod]] = {}

    def place(self, given: Pod, name: str) -> Pod:
        placed = replace(given, spec=replace(given.spec, node_name=name))
        self.pods[placed.metadata.uid] = placed
        self._on.setdefault(name, []).append(placed)
        return placed

    def on(self, node: Node) -> list[Pod]:
        return self._on.get(node.metadata.name, [])


def worth(cluster: IndexedCluster, wanted: Pod, fitting: Sequence[Node]) -> Mapping[str, int]:
    """The total of each of these nodes, scaled by them alone."""
    soft = [c for c in wanted.spec.topology_spread_constraints if c.when_unsatisfiable == "ScheduleAnyway"]
    spread = spread_scores(cluster, wanted, fitting, soft) if soft else {}
    near = affinity_scores(cluster, wanted, fitting)
    alone = scores(wanted, {one.metadata.name: (one, cluster.on(one)) for one in fitting})
    return {name: total + 2 * spread.get(name, 0) + 2 * near[name] for name, total in alone.items()}


def feasible(cluster: IndexedCluster, wanted: Pod) -> list[Node]:
    return [
        one
        for one in cluster.nodes.values()
        if fits(wanted, one, cluster.on(one))
        and spread_allows(cluster, wanted, one)
        and affinity_allows(cluster, wanted, one)
    ]


def sample(fitting: Sequence[Node], start: int) -> Sequence[Node]:
    """As many as upstream looks at, from where it stopped the last time; with few nodes its least, a hundred."""
    enough = max(100, NODES * (50 - NODES // 125) // 100)
    turned = [*fitting[start % len(fitting) :], *fitting[: start % len(fitting)]]
    return turned[:enough]


def spread(when: str) -> Pod:
    constraint = TopologySpreadConstraint(max_skew=5, topology_key="zone", when_unsatisfiable=when, label_selector=BLUE)
    bare = blue()
    return replace(bare, spec=replace(bare.spec, topology_spread_constraints=(constraint,)))


def blue() -> Pod:
    return pod(cpu="100m", memory="500Mi", labels={"color": "blue"})


def near_others() -> Pod:
    term = PodAffinityTerm(label_selector=BLUE, topology_key="kubernetes.io/hostname")
    wish = WeightedPodAffinityTerm(weight=1, pod_affinity_term=term)
    affinity = Affinity(pod_affinity=PodAffinity(preferred_during_scheduling_ignored_during_execution=(wish,)))
    bare = blue()
    return replace(bare, spec=replace(bare.spec, affinity=affinity))


@pytest.mark.parametrize(
    "make",
    [blue, lambda: spread("DoNotSchedule"), lambda: spread("ScheduleAnyway"), near_others],
    ids=["basic", "spread", "softly spread", "near others"],
)
@pytest.mark.parametrize("pods", [2, pytest.param(25, marks=MANY)])
def test_no_sampled_decision_is_worth_more(make: Callable[[], Pod], pods: int) -> None:
    chance, bench = Random(1), Bench(PLAIN)
    bench.cluster = cluster = IndexedCluster()
    bench.profile = default_profile(bench.cache)
    for number in range(NODES):
        bench.set_node(node(f"n{number}", labels={"zone": f"z{number % 3}"}))
        used = pod(cpu=f"{chance.randrange(101, 3000, 2)}m", memory=f"{chance.randrange(1, 12)}Gi")
        bench.set_pod(cluster.place(used, f"n{number}"))
    ours = sampled = start = 0
    for _ in range(pods):
        wanted = make()
        fitting = feasible(cluster, wanted)
        totals, some = worth(cluster, wanted, fitting), sample(fitting, start)
        start += len(some)
        among = worth(cluster, wanted, some)
        their_choice = max(among, key=lambda name: among[name])
        row = bench.evaluator.evaluate(bench.profile, PodInfo(wanted)).best_row(chance.random)
        our_choice = bench.cache.columns.node(row).name
        assert totals[our_choice] == max(totals.values())
        ours, sampled = ours + totals[our_choice], sampled + totals[their_choice]
        bench.set_pod(cluster.place(wanted, our_choice))
    assert ours >= sampled
