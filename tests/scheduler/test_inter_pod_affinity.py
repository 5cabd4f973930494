"""InterPodAffinity against the reference, and in single scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import (
    Affinity,
    Namespace,
    Node,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    WeightedPodAffinityTerm,
)
from kcore.api.meta_v1 import LabelSelector, LabelSelectorRequirement, ObjectMeta
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.scheduler.framework import ClusterEvent, Code
from kcore.scheduler.plugins.inter_pod_affinity import AFFINITY, ANTI_AFFINITY, EXISTING, InterPodAffinity
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import NoClient
from tests.scheduler.reference import affinity_allows, affinity_scores

BACKENDS = pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
HOSTNAME = "kubernetes.io/hostname"
NAMES = ["a", "b", "c", "d"]
WEB = LabelSelector(match_labels={"app": "web"})


def term(selector: LabelSelector | None = WEB, key: str = "zone", **more: object) -> PodAffinityTerm:
    return replace(PodAffinityTerm(label_selector=selector, topology_key=key), **more)


def affine(
    *,
    near: Sequence[PodAffinityTerm] = (),
    away: Sequence[PodAffinityTerm] = (),
    rather_near: Sequence[tuple[int, PodAffinityTerm]] = (),
    rather_away: Sequence[tuple[int, PodAffinityTerm]] = (),
    labels: Mapping[str, str] | None = None,
    node_name: str = "",
    namespace: str = "ns",
) -> Pod:
    def weighted(terms: Sequence[tuple[int, PodAffinityTerm]]) -> tuple[WeightedPodAffinityTerm, ...]:
        return tuple(WeightedPodAffinityTerm(weight=weight, pod_affinity_term=one) for weight, one in terms)

    affinity = Affinity(
        pod_affinity=PodAffinity(
            required_during_scheduling_ignored_during_execution=tuple(near),
            preferred_during_scheduling_ignored_during_execution=weighted(rather_near),
        ),
        pod_anti_affinity=PodAntiAffinity(
            required_during_scheduling_ignored_during_execution=tuple(away),
            preferred_during_scheduling_ignored_during_execution=weighted(rather_away),
        ),
    )
    bare = pod(labels=labels if labels is not None else {"app": "web"}, node_name=node_name)
    metadata = replace(bare.metadata, namespace=namespace)
    return replace(bare, metadata=metadata, spec=replace(bare.spec, affinity=affinity))


def bench_on(backend: Backend) -> tuple[Bench, Informers]:
    informers = Informers(cast(Client, NoClient()))
    bench = Bench(backend)
    bench.use(InterPodAffinity(bench.cache.columns, informers))
    return bench, informers


def set_namespaces(bench: Bench, informers: Informers, labels: Mapping[str, Mapping[str, str]], version: int) -> None:
    bench.cluster.namespaces = {name: dict(given) for name, given in labels.items()}
    informers.of(Namespace)._replace(
        [
            Namespace(metadata=ObjectMeta(name=name, labels=given, resource_version=str(version)))
            for name, given in labels.items()
        ]
    )


selectors = st.sampled_from(
    [
        None,
        WEB,
        WEB,
        LabelSelector(),
        LabelSelector(match_expressions=(LabelSelectorRequirement(key="app", operator="NotIn", values=("web",)),)),
    ]
)
terms = st.builds(
    term,
    selectors,
    st.sampled_from(["zone", "rack", HOSTNAME]),
    namespaces=st.sampled_from([(), (), ("other",), ("ns", "other")]),
    namespace_selector=st.sampled_from([None, None, LabelSelector(), LabelSelector(match_labels={"team": "x"})]),
)
some_terms = st.lists(terms, max_size=1) | st.lists(terms, max_size=2)
weighted = st.lists(st.tuples(st.integers(1, 100), terms), max_size=2)
labels = st.dictionaries(st.just("app"), st.sampled_from(["web", "db"]))
pods = st.builds(
    affine,
    near=st.just(()) | some_terms,
    away=st.just(()) | some_terms,
    rather_near=weighted,
    rather_away=weighted,
    labels=labels,
    namespace=st.sampled_from(["ns", "ns", "other"]),
)


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    return node(name, labels=draw(st.dictionaries(st.sampled_from(["zone", "rack"]), st.sampled_from(["x", "y"]))))


def change(data: st.DataObject, bench: Bench) -> None:
    """Something happens in the cluster."""
    what = data.draw(st.sampled_from(["add", "add", "add", "relabel", "remove", "node", "lose"]))
    uids = sorted(bench.cluster.pods)
    if what == "add":
        given_pod = data.draw(pods)
        bench.set_pod(replace(given_pod, spec=replace(given_pod.spec, node_name=data.draw(st.sampled_from(NAMES)))))
    elif what == "node":
        bench.set_node(data.draw(nodes(data.draw(st.sampled_from(NAMES)))))
    elif what == "lose":
        bench.remove_node(data.draw(st.sampled_from(NAMES)))
    elif uids and what == "remove":
        bench.remove_pod(data.draw(st.sampled_from(uids)))
    elif uids:
        old = bench.cluster.pods[data.draw(st.sampled_from(uids))]
        bench.set_pod(replace(old, metadata=replace(old.metadata, labels=data.draw(labels))))


@BACKENDS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_verdicts_are_those_of_the_reference(backend: Backend, data: st.DataObject) -> None:
    bench, informers = bench_on(backend)
    for name in NAMES[: data.draw(st.integers(1, 4))]:
        bench.set_node(data.draw(nodes(name)))
    wanted = data.draw(st.lists(pods, min_size=1, max_size=3))
    for step in range(data.draw(st.integers(1, 8))):
        change(data, bench)
        if data.draw(st.integers(0, 3)) == 0:
            labels_of = data.draw(st.fixed_dictionaries({"ns": teams, "other": teams}))
            set_namespaces(bench, informers, labels_of, step)
        cluster = bench.cluster
        for one in wanted:
            feasible = [n for n in cluster.nodes.values() if affinity_allows(cluster, one, n)]
            assert bench.totals(one) == affinity_scores(cluster, one, feasible)
            assert bench.statuses(one).keys() == cluster.nodes.keys() - {n.metadata.name for n in feasible}
            for other in list(cluster.pods.values()):
                at = other.spec.node_name
                if at in cluster.nodes:
                    del cluster.pods[other.metadata.uid]
                    allowed = affinity_allows(cluster, one, cluster.nodes[at])
                    cluster.pods[other.metadata.uid] = other
                    assert bench.without(one, at, other.metadata.uid) == allowed


teams = st.sampled_from([{}, {"team": "x"}, {"team": "y"}])


def scene() -> Bench:
    """Two nodes in one zone, one in another, and one in none."""
    bench, _ = bench_on(PLAIN)
    for name, zone in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "")):
        bench.set_node(node(name, labels={"zone": zone} if zone else {}))
    return bench


def test_the_first_of_a_group_goes_anywhere_and_the_rest_follow() -> None:
    bench = scene()
    group = [affine(near=[term()]) for _ in range(3)]
    assert bench.totals(group[0]).keys() == {"a", "b", "c"}
    bench.set_pod(replace(group[0], spec=replace(group[0].spec, node_name="a")))
    assert bench.totals(group[1]).keys() == {"a", "b"}


def test_refusals_are_told_in_upstreams_words() -> None:
    bench = scene()
    bench.set_pod(affine(away=[term()], node_name="a"))
    lonely = bench.statuses(affine(near=[term()], labels={"app": "db"}))
    assert {status.reasons for name, status in lonely.items() if name in "cd"} == {(AFFINITY,)}
    assert lonely["c"].code is Code.UNRESOLVABLE
    assert "a" not in lonely
    assert bench.statuses(affine(away=[term()]))["b"].reasons == (ANTI_AFFINITY,)
    kept_away = bench.statuses(pod(labels={"app": "web"}))
    assert kept_away.keys() == {"a", "b"}
    assert kept_away["a"].reasons == (EXISTING,)
    assert kept_away["a"].code is Code.UNSCHEDULABLE


def test_room_kept_for_a_pod_keeps_others_away_but_is_no_company() -> None:
    bench = scene()
    bench.cache.nominate(PodInfo(pod(labels={"app": "web"})), "a")
    assert not bench.totals(affine(near=[term()], labels={"app": "db"}))
    assert bench.totals(affine(away=[term()])).keys() == {"c", "d"}


@pytest.mark.parametrize(
    ("waiting", "event", "old", "new", "hopes"),
    [
        (affine(near=[term()]), ClusterEvent.POD_ADDED, None, pod(labels={"app": "web"}), True),
        (affine(near=[term()]), ClusterEvent.POD_ADDED, None, pod(labels={"app": "db"}), False),
        (affine(away=[term()]), ClusterEvent.POD_ADDED, None, pod(labels={"app": "web"}), False),
        (affine(away=[term()]), ClusterEvent.POD_DELETED, pod(labels={"app": "web"}), None, True),
        (affine(away=[term()]), ClusterEvent.POD_DELETED, pod(labels={"app": "db"}), None, False),
        (pod(labels={"app": "web"}), ClusterEvent.POD_DELETED, affine(away=[term()]), None, True),
        (
            affine(away=[term()]),
            ClusterEvent.POD_UPDATED,
            pod(labels={"app": "web"}),
            pod(labels={"app": "db"}),
            True,
        ),
        (affine(near=[term()]), ClusterEvent.NODE_ADDED, None, node(labels={"zone": "z"}), True),
        (affine(near=[term()]), ClusterEvent.NODE_ADDED, None, node(), False),
        (affine(away=[term()]), ClusterEvent.NODE_ADDED, None, node(), True),
    ],
)
def test_what_a_refused_pod_hopes_from(
    waiting: Pod, event: ClusterEvent, old: Object | None, new: Object | None, hopes: bool
) -> None:
    bench, informers = bench_on(PLAIN)
    events = InterPodAffinity(bench.cache.columns, informers).events()
    hints = [hint for known, hint in events.items() if event & known]
    assert [hint is None or hint(PodInfo(waiting), old, new) for hint in hints] == [hopes]
