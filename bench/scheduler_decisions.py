"""Whether decisions over all nodes are better than kube-scheduler's, which looks only at some of them for each pod.

Upstream's adaptive rule: with 100 nodes or more it stops at (50 - nodes/125) per cent of them that fit, at least 5 per
cent and 100 nodes; it goes through the zones in turn, each time from where it stopped, and scales scores by those
found. Both ways place the same pods, each in a cluster of its own, and each choice is judged by its score among all
nodes of that cluster at that moment. The nodes are used unevenly to begin with, each by a pod of some size; on equal
ones (`--even`) there is little to choose. Prints one JSON line a case: the sums of these scores, the mean of a
decision, and how much the best node would have been worth on top of the sampled choices.

    python -m bench.scheduler_decisions [case ...] [--nodes N] [--pods N] [--even]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from bench.scheduler_perf import CASES, FULL_SIZE, ZONES, Case, node_documents, pod_document
from kcore.api.core_v1 import Node, Pod
from kcore.api.scheme import Scheme
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, SystemClock
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.config.plan import DEFAULT_PLAN, make_profile
from kcore.scheduler.evaluation import Evaluation
from kcore.scheduler.evaluator import Evaluator
from kcore.scheduler.plugins import Handle
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.vector import Vector
from kcore.scheduler.volumes import Volumes
from kcore.scheduler.waiting import WaitingPods
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

DECIDED = (
    "basic",
    "node_affinity",
    "topology_spreading",
    "preferred_topology_spreading",
    "pod_affinity",
    "preferred_pod_affinity",
    "pod_anti_affinity",
    "preferred_pod_anti_affinity",
)
FEWEST_SAMPLED, LEAST_PERCENT = 100, 5

Choose = Callable[[Evaluation], int]


class Sampled(Evaluation):
    """An evaluation that can be narrowed to some of the rows that fit."""

    def best_among(self, some: Vector, chance: Chance) -> int:
        self.feasible = some
        self._score()
        return self.best_row(chance.random.random)


class Cluster:
    """Nodes, the pods placed so far, and what the default profile says of the next."""

    def __init__(self, nodes: int) -> None:
        self.cache = SchedulerCache()
        self.chance = Chance(1)
        self.profile = _profile(self.cache)
        self._evaluator = Evaluator(self.cache.columns)
        for document in node_documents(nodes):
            self.cache.set_node(msgspec.convert(document, Node))

    def judge(self, pod: PodInfo) -> Evaluation:
        return self._evaluator.evaluate(self.profile, pod)


class Everywhere:
    """kcore's way: the best of all nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def choose(self, pod: PodInfo, verdict: Evaluation) -> int:
        return verdict.best_row(self._cluster.chance.random.random)


class Sampling:
    """kube-scheduler's way: the best of the first so many that fit."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        columns = cluster.cache.columns
        zones = [range(first, columns.count, len(ZONES)) for first in range(len(ZONES))]
        names = [f"node-{number}" for turn in zip_longest(*zones) for number in turn if number is not None]
        self._order = [columns.rows[name] for name in names]
        self._next = 0

    def choose(self, pod: PodInfo, verdict: Evaluation) -> int:
        columns = self._cluster.cache.columns
        some = columns.backend.bools(columns.size)
        for row in self._sample(verdict):
            some[row] = True
        evaluation = Sampled(self._cluster.profile, pod, columns, complete=True)
        return evaluation.best_among(some, self._cluster.chance)

    def _sample(self, verdict: Evaluation) -> Iterable[int]:
        enough, found = _enough(len(self._order)), []
        for looked_at in range(len(self._order)):
            row = self._order[(self._next + looked_at) % len(self._order)]
            if verdict.feasible[row]:
                found.append(row)
                if len(found) == enough:
                    break
        self._next = (self._next + looked_at + 1) % len(self._order)
        return found


def _enough(nodes: int) -> int:
    if nodes < FEWEST_SAMPLED:
        return nodes
    percent = max(50 - nodes // 125, LEAST_PERCENT)
    return max(nodes * percent // 100, FEWEST_SAMPLED)


class Worth(NamedTuple):
    """The scores of what was chosen, and of what was best."""

    chosen: int
    best: int


def place(way: Everywhere | Sampling, cluster: Cluster, pods: Sequence[Pod]) -> Worth:
    """Place pods one after the other; -1 stands for one that fits nowhere."""
    chosen = best = 0
    for pod in pods:
        info = PodInfo(pod)
        verdict = cluster.judge(info)
        row = way.choose(info, verdict)
        if row >= 0:
            chosen += int(verdict.totals[row])
            best += cluster.cache.columns.backend.maximum(verdict.totals)
            cluster.cache.assume(info, cluster.cache.columns.node(row).name)
    return Worth(chosen, best)


def made(make: Callable[[str], dict[str, Any]], prefix: str, count: int, chance: Chance) -> list[Pod]:
    pods = [msgspec.convert(make(f"{prefix}-{number}"), Pod) for number in range(count)]
    return [replace(pod, metadata=replace(pod.metadata, uid=chance.uid())) for pod in pods]


def compare(name: str, case: Case, nodes: int, count: int, even: bool) -> dict[str, Any]:
    chance = Chance(2)
    used = [] if even else [_use(f"node-{number}", chance) for number in range(nodes)]
    before = made(case.make_before, "before", case.before * nodes // FULL_SIZE, chance)
    measured = made(case.make, "measured", count, chance)
    worth = {}
    for way in (Everywhere, Sampling):
        cluster = Cluster(nodes)
        for pod in used:
            cluster.cache.set_pod(pod)
        chooser = way(cluster)
        place(chooser, cluster, before)
        worth[way] = place(chooser, cluster, measured)
    every, sampled = worth[Everywhere], worth[Sampling]
    return {
        "case": name,
        "nodes": nodes,
        "sampled_nodes": _enough(nodes),
        "pods": count,
        "sum_over_all_nodes": every.chosen,
        "sum_sampled": sampled.chosen,
        "mean_over_all_nodes": round(every.chosen / count, 2),
        "mean_sampled": round(sampled.chosen / count, 2),
        "mean_missed_by_sampling": round((sampled.best - sampled.chosen) / count, 2),
    }


def _use(node_name: str, chance: Chance) -> Pod:
    """A pod that takes some part of its node."""
    cpu, memory = chance.random.randrange(101, 3000, 2), chance.random.randrange(1, 24)
    document = pod_document(f"on-{node_name}", {"nodeName": node_name}, f"{cpu}m", f"{memory}Gi")
    document["metadata"] |= {"uid": chance.uid(), "labels": {"color": "grey"}}
    return msgspec.convert(document, Pod)


def _profile(cache: SchedulerCache) -> Profile:
    clock, chance, scheme = SystemClock(), Chance(1), Scheme()
    registry = Registry(EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog()), scheme, STRATEGIES, clock, chance)
    client = LocalClient(registry)
    recorder = EventBroadcaster(client, clock).recorder("default-scheduler")
    informers = Informers(client, chance)
    handle = Handle(client, cache, clock, chance, informers, recorder, WaitingPods(), Volumes(informers))
    return make_profile(DEFAULT_PLAN.profiles[0], handle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(DECIDED))
    parser.add_argument("--nodes", type=int, default=FULL_SIZE)
    parser.add_argument("--pods", type=int, default=1_000)
    parser.add_argument("--even", action="store_true")
    options = parser.parse_args()
    for name in options.cases or DECIDED:
        print(json.dumps(compare(name, CASES[name], options.nodes, options.pods, options.even)), flush=True)


if __name__ == "__main__":
    main()
