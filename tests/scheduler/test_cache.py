"""The cache counts pods once, wherever the news of them comes from and in whatever order."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.pod_info import PodInfo
from tests.scheduler.clusters import node, pod


def test_an_assumed_pod_is_confirmed_by_its_appearance() -> None:
    cache, waiting = SchedulerCache(), pod(cpu="1")
    cache.set_node(node("a"))
    cache.assume(PodInfo(waiting), "a")
    assert cache["a"].requested["cpu"] == 1000
    cache.set_pod(replace(waiting, spec=replace(waiting.spec, node_name="a")))
    assert cache["a"].requested["cpu"] == 1000
    assert cache.statistics() == (1, 1, 0)


def test_a_forgotten_assumption_gives_its_room_back() -> None:
    cache, waiting = SchedulerCache(), pod(cpu="1")
    cache.set_node(node("a"))
    cache.assume(PodInfo(waiting), "a")
    cache.forget(waiting.metadata.uid)
    assert cache["a"].requested["cpu"] == 0
    assert not cache.is_placed(waiting.metadata.uid)


def test_a_pod_that_turned_up_is_not_forgotten() -> None:
    cache, waiting = SchedulerCache(), pod(cpu="1")
    cache.set_node(node("a"))
    cache.assume(PodInfo(waiting), "a")
    cache.set_pod(replace(waiting, spec=replace(waiting.spec, node_name="a")))
    cache.forget(waiting.metadata.uid)
    assert cache["a"].requested["cpu"] == 1000


def test_a_pod_that_turned_up_elsewhere_is_counted_there() -> None:
    cache, waiting = SchedulerCache(), pod(cpu="1")
    cache.set_node(node("a"))
    cache.set_node(node("b"))
    cache.assume(PodInfo(waiting), "a")
    cache.set_pod(replace(waiting, spec=replace(waiting.spec, node_name="b")))
    assert (cache["a"].requested["cpu"], cache["b"].requested["cpu"]) == (0, 1000)


def test_pods_may_be_known_before_their_node_and_outlive_it() -> None:
    cache, bound = SchedulerCache(), pod(cpu="1", node_name="a")
    cache.set_pod(bound)
    assert cache.get("a") is None
    cache.set_node(node("a"))
    row = cache["a"].row
    assert cache.columns.requested("cpu")[row] == 1000
    cache.remove_node("a")
    assert cache.columns.count == 0
    cache.set_node(node("a"))
    assert cache["a"].requested["cpu"] == 1000
    cache.remove_pod(bound.metadata.uid)
    assert cache["a"].requested["cpu"] == 0


def test_a_resized_pod_is_counted_anew() -> None:
    cache, bound = SchedulerCache(), pod(cpu="1", node_name="a")
    cache.set_node(node("a"))
    cache.set_pod(bound)
    bigger = pod(cpu="2", node_name="a")
    cache.set_pod(replace(bound, spec=bigger.spec))
    assert cache["a"].requested["cpu"] == 2000
