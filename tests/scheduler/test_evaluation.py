"""Fast against obvious: evaluations over columns, shared and mended, agree with asking each plugin about each node.

The reference asks `filter` and `score` node by node and scales as the documentation of `NormalizeScore` says; what is
tested are the column forms, the reuse between pods, and the mending of changed rows, on both kinds of vectors.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import ContainerPort, Node, Pod, Toleration
from kcore.kit.clock import Chance
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.cycle import Placed, Refused, SchedulingCycle
from kcore.scheduler.evaluator import Evaluator
from kcore.scheduler.framework import Code, CycleState
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod, requirement, taint, term
from tests.scheduler.profiles import default_profile

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    labels = draw(st.dictionaries(st.sampled_from(["zone", "size"]), st.sampled_from(["a", "b", "3", "7"])))
    effects = draw(st.lists(st.sampled_from(EFFECTS), max_size=2))
    return node(
        name,
        cpu=draw(st.sampled_from(["0", "1", "4", "32"])),
        memory=draw(st.sampled_from(["1Gi", "16Gi", "100Gi"])),
        pods=draw(st.sampled_from(["1", "3", "110"])),
        labels=labels,
        taints=[taint(draw(st.sampled_from(["k", "l"])), "v", effect) for effect in effects],
        unschedulable=draw(st.integers(0, 9)) == 0,
        more=draw(st.sampled_from([{}, {"example.com/gpu": "2"}])),
    )


requirements = st.builds(
    requirement,
    st.sampled_from(["zone", "size"]),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    st.sampled_from(["a", "b", "3", "5"]),
)
names = st.builds(requirement, st.just("metadata.name"), st.sampled_from(["In", "NotIn"]), st.sampled_from("0123"))
terms = st.builds(
    lambda expressions, fields: term(*expressions, fields=fields),
    st.lists(requirements, max_size=2),
    st.lists(names, max_size=1),
)


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    return pod(
        cpu=draw(st.sampled_from(["", "100m", "1", "3"])),
        memory=draw(st.sampled_from(["", "100Mi", "5Gi"])),
        more=draw(st.sampled_from([{}, {}, {"example.com/gpu": "1"}])),
        selector=draw(st.sampled_from([{}, {}, {"zone": "a"}])),
        required=draw(st.none() | st.lists(terms, max_size=2)),
        preferred=draw(st.lists(st.tuples(st.integers(1, 100), terms), max_size=2)),
        tolerations=draw(
            st.sampled_from([(), (Toleration(operator="Exists"),), (Toleration(key="k", operator="Exists"),)])
        ),
        ports=draw(st.sampled_from([(), (), (ContainerPort(host_port=80),)])),
    )


def obvious_totals(profile: Profile, cache: SchedulerCache, given_pod: PodInfo) -> dict[str, int]:
    """The total score of each node that the pod fits, by asking about one node after another."""
    columns = cache.columns
    state: CycleState = {}
    skipped, only = set(), None
    for plugin in profile.pre_filter:
        result = plugin.pre_filter(state, given_pod, columns)
        if result is not None and result.status is not None:
            if result.status.code is not Code.SKIP:
                return {}
            skipped.add(plugin.name)
        if result is not None and result.nodes is not None:
            only = result.nodes
    living = [n for n in columns.nodes if n is not None]
    fitting = [
        n
        for n in living
        if (only is None or n.name in only)
        and all(j.plugin.name in skipped or j.plugin.filter(state, given_pod, n) is None for j in profile.filter)
    ]
    skipped = {p.name for p in profile.pre_score if p.pre_score(state, given_pod, columns, columns.alive) is not None}
    totals = dict.fromkeys([n.name for n in fitting], 0)
    for scorer in profile.score:
        if scorer.plugin.name in skipped:
            continue
        scores = {n.name: scorer.plugin.score(state, given_pod, n) for n in fitting}
        if scorer.normalizer is not None:
            largest = max(scores.values(), default=0)
            reverse = scorer.plugin.name == "TaintToleration"
            for name, score in scores.items():
                scaled = score * 100 // largest if largest else 0
                scores[name] = 100 - scaled if reverse else scaled
        for name, score in scores.items():
            totals[name] += score * scorer.weight
    return totals


def fast_totals(evaluator: Evaluator, profile: Profile, cache: SchedulerCache, given_pod: PodInfo) -> dict[str, int]:
    totals = evaluator.evaluate(profile, given_pod).totals
    return {cache.columns.node(row).name: int(total) for row, total in enumerate(totals) if total >= 0}


@pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_fast_evaluation_agrees_with_the_obvious_one(backend: Backend, data: st.DataObject) -> None:
    cache = SchedulerCache(lambda _: backend)
    profile = default_profile(cache)
    evaluator = Evaluator(cache.columns)
    wanted = data.draw(st.lists(pods(), min_size=1, max_size=3))
    for number in range(data.draw(st.integers(1, 6))):
        cache.set_node(data.draw(nodes(str(number))))
    for _ in range(data.draw(st.integers(1, 6))):
        infos = [PodInfo(one) for one in wanted]
        for info in infos:
            expected = obvious_totals(profile, cache, info)
            found = fast_totals(evaluator, profile, cache, info)
            assert found.keys() == expected.keys()
            assert len(found) == 1 or found == expected  # where there is nothing to choose, nothing is scored
            statuses = evaluator.evaluate(profile, info).diagnose()
            if not statuses.pre_filter:
                living = {n.name for n in cache.columns.nodes if n is not None}
                assert set(statuses.statuses) == living - set(expected)
        change = data.draw(st.sampled_from(["place", "place", "node", "remove"]))
        name = data.draw(st.sampled_from("012345"))
        if change == "node":
            cache.set_node(data.draw(nodes(name)))
        elif change == "remove":
            cache.remove_node(name)
        else:
            cache.set_pod(pod_on(data.draw(pods()), name))


def pod_on(given_pod: Pod, name: str) -> Pod:
    return replace(given_pod, spec=replace(given_pod.spec, node_name=name))


def test_more_nodes_than_the_columns_began_with() -> None:
    cache = SchedulerCache()
    cycle = SchedulingCycle(cache, Chance(1))
    profile = default_profile(cache)
    chosen = set()
    for number in range(200):
        cache.set_node(node(f"n{number}", pods="1"))
        outcome = cycle.schedule(profile, PodInfo(pod(cpu="1")))
        assert isinstance(outcome, Placed)
        chosen.add(outcome.node_name)
    assert len(chosen) == 200


@pytest.mark.parametrize(
    ("given_pod", "message"),
    [
        (pod(cpu="8"), "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu."),
        (
            pod(cpu="8", memory="1Ti"),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory.",
        ),
        (
            pod(selector={"zone": "x"}),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), "
            "2 node(s) didn't match Pod's node affinity/selector.",
        ),
        (
            pod(cpu="8", required=[term(fields=[requirement("metadata.name", "In", "b")])]),
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
        ),
    ],
)
def test_refusals_are_told_in_upstreams_words(given_pod: Pod, message: str) -> None:
    cache = SchedulerCache()
    for one in (node("a", taints=[taint()]), node("b"), node("c")):
        cache.set_node(one)
    outcome = SchedulingCycle(cache, Chance(1)).schedule(default_profile(cache), PodInfo(given_pod))
    assert isinstance(outcome, Refused)
    assert outcome.message.partition(" preemption:")[0] == message


def test_without_nodes_there_is_little_to_say() -> None:
    cache = SchedulerCache()
    outcome = SchedulingCycle(cache, Chance(1)).schedule(default_profile(cache), PodInfo(pod()))
    assert isinstance(outcome, Refused)
    assert outcome.message == "no nodes available to schedule pods"
