"""Counts that are kept as pods come and go, against counting anew."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.domains import Domains
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod


@pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b", "c"]), st.booleans(), st.integers(0, 3)))
)
def test_sums_by_domain_follow_their_rows(backend: Backend, steps: list[tuple[int, str, bool, int]]) -> None:
    cache = SchedulerCache(lambda _: backend)
    columns = cache.columns
    for number in range(6):
        cache.set_node(node(f"n{number}"))
    rows = [cache[f"n{number}"].row for number in range(6)]
    domains = Domains(columns, "zone", columns.alive, columns.backend.ints(columns.size))
    standing: dict[int, tuple[str, int]] = {}
    for number, zone, counted, amount in steps:
        cache.set_node(node(f"n{number}", labels={"zone": zone} if zone else {}))
        domains.put(rows[number], counted, amount)
        standing[number] = (zone, amount if counted and zone else -1)
    expected: Counter[str] = Counter()
    for zone, amount in standing.values():
        if amount >= 0:
            expected[zone] += amount
    zones = {zone for zone, amount in standing.values() if amount >= 0}
    assert domains.count == len(zones)
    assert domains.least() == min((expected[zone] for zone in zones), default=0)
    sums = domains.sums()
    for number, (zone, _) in standing.items():
        assert sums[rows[number]] == domains.sum(rows[number]) == expected[zone]


def test_pods_are_counted_by_kin_where_they_are() -> None:
    cache = SchedulerCache()
    cache.set_node(node("a"))
    web = pod("w", labels={"app": "web"}, node_name="a")
    cache.set_pod(web)
    cache.set_pod(pod("x", labels={"app": "web"}, node_name="a"))
    (kin,) = cache.columns.kins
    assert cache.columns.kins.nodes(kin) == {cache["a"]: 2}
    cache.set_pod(replace(web, metadata=replace(web.metadata, labels={"app": "db"})))
    assert cache.columns.kins.nodes(kin) == {cache["a"]: 1}
    assert len(cache.columns.kins) == 2
    cache.remove_pod(web.metadata.uid)
    assert list(cache.columns.kins) == [kin]
