"""PodTopologySpread against the reference, and in single scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kcore.api.core_v1 import Node, Pod, Service, ServiceSpec, Toleration, TopologySpreadConstraint
from kcore.api.meta_v1 import LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.scheduler.framework import ClusterEvent, Code
from kcore.scheduler.plugins.node_affinity import NodeAffinity
from kcore.scheduler.plugins.pod_topology_spread import NO_LABEL, REASON, PodTopologySpread
from kcore.scheduler.plugins.taint_toleration import TaintToleration
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.siblings import Siblings
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod, taint
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import NoClient
from tests.scheduler.reference import spread_allows, spread_scores

BACKENDS = pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
NAMES = ["a", "b", "c", "d"]


class Alone(Siblings):
    """No pod has siblings."""

    def __init__(self) -> None:
        super().__init__(Informers(cast(Client, NoClient())))


def constraint(
    key: str = ZONE, *, skew: int = 1, hard: bool = True, selector: LabelSelector | None = None, **more: object
) -> TopologySpreadConstraint:
    given = TopologySpreadConstraint(
        topology_key=key,
        max_skew=skew,
        when_unsatisfiable="DoNotSchedule" if hard else "ScheduleAnyway",
        label_selector=selector if selector is not None else LabelSelector(match_labels={"app": "web"}),
    )
    return replace(given, **more)


def spread_pod(
    constraints: Sequence[TopologySpreadConstraint],
    labels: Mapping[str, str] | None = None,
    *,
    node_name: str = "",
    zones: str = "",
    tolerations: Sequence[Toleration] = (),
) -> Pod:
    selector = {ZONE: zones} if zones else {}
    bare = pod(
        labels=labels if labels is not None else {"app": "web"},
        node_name=node_name,
        selector=selector,
        tolerations=tolerations,
    )
    return replace(bare, spec=replace(bare.spec, topology_spread_constraints=tuple(constraints)))


selectors = st.sampled_from(
    [
        LabelSelector(match_labels={"app": "web"}),
        LabelSelector(),
        LabelSelector(match_expressions=(LabelSelectorRequirement(key="app", operator="Exists"),)),
        LabelSelector(match_expressions=(LabelSelectorRequirement(key="app", operator="NotIn", values=("db",)),)),
    ]
)
constraints = st.builds(
    constraint,
    st.sampled_from([ZONE, HOSTNAME, "rack"]),
    skew=st.integers(1, 3),
    hard=st.booleans(),
    selector=selectors,
    min_domains=st.sampled_from([None, None, 1, 2, 3]),
    match_label_keys=st.sampled_from([(), ("version",)]),
    node_affinity_policy=st.sampled_from([None, "Honor", "Ignore"]),
    node_taints_policy=st.sampled_from([None, "Honor", "Ignore"]),
)
labels = st.dictionaries(st.sampled_from(["app", "version"]), st.sampled_from(["web", "db"]))


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    keys = draw(st.dictionaries(st.sampled_from([ZONE, "rack"]), st.sampled_from(["x", "y", "z"])))
    return node(name, labels=keys, taints=draw(st.sampled_from([(), (), (taint(),)])))


@st.composite
def waiting(draw: st.DrawFn) -> Pod:
    return spread_pod(
        draw(st.lists(constraints, max_size=3)),
        draw(labels),
        zones=draw(st.sampled_from(["", "", "x"])),
        tolerations=draw(st.sampled_from([(), (Toleration(operator="Exists"),)])),
    )


@st.composite
def standing(draw: st.DrawFn) -> Pod:
    bare = pod(labels=draw(labels), node_name=draw(st.sampled_from(NAMES)))
    stamp = draw(st.sampled_from([None, None, None, "2026-01-01T00:00:00Z"]))
    namespace = draw(st.sampled_from(["ns", "ns", "other"]))
    return replace(bare, metadata=replace(bare.metadata, namespace=namespace, deletion_timestamp=stamp))


def change(data: st.DataObject, bench: Bench) -> None:
    """Something happens in the cluster."""
    what = data.draw(st.sampled_from(["add", "add", "add", "relabel", "remove", "node", "lose"]))
    uids = sorted(bench.cluster.pods)
    if what == "add":
        bench.set_pod(data.draw(standing()))
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
    bench = Bench(backend)
    bench.use(PodTopologySpread(Alone()))
    for name in NAMES[: data.draw(st.integers(1, 4))]:
        bench.set_node(data.draw(nodes(name)))
    wanted = data.draw(st.lists(waiting(), min_size=1, max_size=3))
    for _ in range(data.draw(st.integers(1, 8))):
        change(data, bench)
        for one in wanted:
            cluster = bench.cluster
            feasible = [n for n in cluster.nodes.values() if spread_allows(cluster, one, n)]
            soft = [c for c in one.spec.topology_spread_constraints if c.when_unsatisfiable == "ScheduleAnyway"]
            expected = dict.fromkeys([n.metadata.name for n in feasible], 0)
            if soft:
                expected = spread_scores(cluster, one, feasible, soft)
            assert bench.totals(one) == expected
            assert bench.statuses(one).keys() == cluster.nodes.keys() - expected.keys()
            for other in list(cluster.pods.values()):
                at = other.spec.node_name
                if at in cluster.nodes:
                    del cluster.pods[other.metadata.uid]
                    allowed = spread_allows(cluster, one, cluster.nodes[at])
                    cluster.pods[other.metadata.uid] = other
                    assert bench.without(one, at, other.metadata.uid) == allowed


def scene() -> Bench:
    """Two zones with a node each, and a node that is in none."""
    bench = Bench(PLAIN)
    bench.use(PodTopologySpread(Alone()), NodeAffinity(), TaintToleration())
    bench.set_node(node("a", labels={ZONE: "x"}))
    bench.set_node(node("b", labels={ZONE: "y"}))
    bench.set_node(node("c"))
    return bench


def test_refusals_are_told_in_upstreams_words() -> None:
    bench = scene()
    bench.set_pod(pod(labels={"app": "web"}, node_name="a"))
    statuses = bench.statuses(spread_pod([constraint()]))
    assert statuses["a"].reasons == (REASON,)
    assert statuses["a"].code is Code.UNSCHEDULABLE
    assert statuses["c"].reasons == (NO_LABEL,)
    assert statuses["c"].code is Code.UNRESOLVABLE


def test_fewer_domains_than_wanted_count_as_an_empty_one() -> None:
    bench = scene()
    for name in "ab":
        bench.set_pod(pod(labels={"app": "web"}, node_name=name))
    assert bench.totals(spread_pod([constraint()])).keys() == {"a", "b"}
    assert not bench.totals(spread_pod([constraint(min_domains=3)]))


def test_a_run_of_pods_alternates_between_zones() -> None:
    bench = scene()
    chosen = []
    for _ in range(6):
        one = spread_pod([constraint()])
        totals = bench.totals(one)
        chosen.append(max(totals, key=lambda name: (totals[name], name)))
        bench.set_pod(replace(one, spec=replace(one.spec, node_name=chosen[-1])))
    assert chosen == ["b", "a"] * 3


def test_siblings_are_spread_without_being_asked_to() -> None:
    informers = Informers(cast(Client, NoClient()))
    replica_set = ReplicaSet(
        metadata=ObjectMeta(name="web", namespace="ns", uid="u"),
        spec=ReplicaSetSpec(selector=LabelSelector(match_labels={"app": "web"})),
    )
    informers.of(ReplicaSet)._replace([replica_set])
    bench = scene()
    bench.use(PodTopologySpread(Siblings(informers)))
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="u", controller=True)
    one = pod(labels={"app": "web"})
    one = replace(one, metadata=replace(one.metadata, owner_references=(owner,)))
    bench.set_pod(pod(labels={"app": "web"}, node_name="a"))
    bench.set_pod(pod(labels={"app": "web"}, node_name="c"))
    cluster = bench.cluster
    soft = [constraint(HOSTNAME, skew=3, hard=False), constraint(ZONE, skew=5, hard=False)]
    expected = spread_scores(cluster, one, list(cluster.nodes.values()), soft, needs_all_labels=False)
    assert bench.totals(one) == expected
    assert expected["b"] > expected["a"]


def test_a_service_makes_siblings_of_what_it_selects() -> None:
    informers = Informers(cast(Client, NoClient()))
    bench = scene()
    bench.use(PodTopologySpread(Siblings(informers)))
    bench.set_pod(pod(labels={"app": "web"}, node_name="a"))
    one = pod(labels={"app": "web", "version": "2"})
    assert set(bench.totals(one).values()) == {0}
    service = Service(metadata=ObjectMeta(name="s", namespace="ns"), spec=ServiceSpec(selector={"app": "web"}))
    informers.of(Service)._replace([service])
    totals = bench.totals(one)
    assert totals["b"] > totals["a"]


@pytest.mark.parametrize(
    ("event", "old", "new", "hopes"),
    [
        (ClusterEvent.POD_DELETED, pod(labels={"app": "web"}), None, True),
        (ClusterEvent.POD_DELETED, pod(labels={"app": "db"}), None, False),
        (ClusterEvent.POD_ADDED, None, pod(labels={"app": "web"}), True),
        (ClusterEvent.POD_UPDATED, pod(labels={"app": "web"}), pod(labels={"app": "web", "n": "1"}), False),
        (ClusterEvent.POD_UPDATED, pod(labels={"app": "web"}), pod(labels={"app": "db"}), True),
        (ClusterEvent.NODE_ADDED, None, node(labels={ZONE: "z"}), True),
        (ClusterEvent.NODE_ADDED, None, node(), False),
        (ClusterEvent.NODE_DELETED, node(labels={ZONE: "z"}), None, True),
    ],
)
def test_what_a_refused_pod_hopes_from(
    event: ClusterEvent, old: Object | None, new: Object | None, hopes: bool
) -> None:
    events = PodTopologySpread(Alone()).events()
    hints = [hint for known, hint in events.items() if event & known]
    assert [hint is None or hint(PodInfo(spread_pod([constraint()])), old, new) for hint in hints] == [hopes]
