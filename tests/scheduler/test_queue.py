"""Pods leave the queue by priority and age, wait out their back-off, and wake for what may help them."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, PodCondition
from kcore.api.object import Object
from kcore.scheduler.framework import ClusterEvent, Hint, Status
from kcore.scheduler.plugins.priority_sort import PrioritySort
from kcore.scheduler.plugins.scheduling_gates import SchedulingGates
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.queue import QueuedPod, SchedulingQueue
from tests.scheduler.clusters import node, pod


def wants_big_node(waiting: PodInfo, old: Object | None, new: Object | None) -> bool:
    return isinstance(new, Node) and new.metadata.name == "big"


def queue() -> SchedulingQueue:
    def may_enqueue(given: Pod) -> Status | None:
        status = SchedulingGates().pre_enqueue(given)
        return status._replace(plugin="SchedulingGates") if status is not None else None

    events: dict[str, dict[ClusterEvent, Hint | None]] = {
        "Fit": {ClusterEvent.NODE_ADDED: wants_big_node, ClusterEvent.POD_DELETED: None},
        "Taints": {ClusterEvent.NODE_TAINT: None},
    }
    return SchedulingQueue(may_enqueue, PrioritySort().sort_key, events)


def pop(waiting: SchedulingQueue, now: float) -> QueuedPod:
    found = waiting.pop(now)
    assert found is not None
    return found


def names(waiting: SchedulingQueue, now: float) -> list[str]:
    found = []
    while (queued := waiting.pop(now)) is not None:
        found.append(queued.info.pod.metadata.name)
    return found


def test_higher_priority_comes_first_and_age_decides_among_equals() -> None:
    waiting = queue()
    waiting.add(pod("old"), 1)
    waiting.add(pod("new"), 2)
    waiting.add(pod("urgent", priority=10), 3)
    assert names(waiting, 4) == ["urgent", "old", "new"]


def test_a_refused_pod_waits_for_an_event_that_its_plugin_hopes_from() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit"}), 0)
    waiting.move(ClusterEvent.NODE_TAINT, None, node(), 100)
    assert waiting.pop(100) is None
    waiting.move(ClusterEvent.NODE_ADDED, None, node("small"), 100)
    assert waiting.pop(100) is None
    waiting.move(ClusterEvent.NODE_ADDED, None, node("big"), 100)
    assert pop(waiting, 100).attempts == 2


def test_one_plugin_of_several_is_enough() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit", "Taints"}), 0)
    waiting.move(ClusterEvent.NODE_TAINT, None, node(), 100)
    assert waiting.pop(100) is not None


def test_a_pod_that_nobody_refused_wakes_for_anything() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    waiting.refused(pop(waiting, 0), frozenset(), 0)
    waiting.move(ClusterEvent.NODE_LABEL, None, node(), 100)
    assert waiting.pop(100) is not None


def test_back_off_orders_pods_but_does_not_keep_an_idle_scheduler_waiting() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit"}), 0)
    waiting.move(ClusterEvent.POD_DELETED, pod(), None, 0.1)
    assert waiting.statistics().backoff == 1
    waiting.add(pod("b"), 0.2)
    assert names(waiting, 0.3) == ["b", "a"]


def test_after_an_error_back_off_is_waited_out_and_grows() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    now = 0.0
    for delay in (1, 2, 4, 8, 10, 10):
        waiting.failed(pop(waiting, now), now)
        assert waiting.next_deadline() == now + delay
        assert waiting.pop(now + delay - 0.01) is None
        now += delay


def test_gated_pods_wait_for_their_gates_and_nothing_else() -> None:
    waiting = queue()
    gated = pod("a", gates=["example.com/later"])
    waiting.add(gated, 0)
    assert waiting.statistics().gated == 1
    waiting.move(ClusterEvent.NODE_TAINT, None, node(), 1000)
    assert waiting.pop(1000) is None
    waiting.update(gated, replace(gated, spec=replace(gated.spec, scheduling_gates=())), 1001)
    assert waiting.pop(1001) is not None


def test_a_pods_own_status_does_not_wake_it() -> None:
    waiting = queue()
    given = pod("a")
    waiting.add(given, 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit"}), 0)
    told = replace(given, status=replace(given.status, conditions=(PodCondition(type="PodScheduled"),)))
    waiting.update(given, told, 100)
    assert waiting.pop(100) is None
    waiting.update(told, replace(told, spec=replace(told.spec, node_selector={"a": "b"})), 100)
    assert waiting.pop(100) is not None


def test_five_minutes_are_the_longest_wait() -> None:
    waiting = queue()
    waiting.add(pod("a"), 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit"}), 10)
    assert waiting.next_deadline() == 310
    assert waiting.pop(309.9) is None
    assert waiting.pop(310) is not None


def test_a_deleted_pod_is_gone_from_everywhere() -> None:
    waiting = queue()
    active, refused, flying = pod("a"), pod("b"), pod("c")
    waiting.add(refused, 0)
    waiting.refused(pop(waiting, 0), frozenset({"Fit"}), 0)
    waiting.add(flying, 0)
    in_flight = pop(waiting, 0)
    waiting.add(active, 0)
    for given in (active, refused, flying):
        waiting.delete(given.metadata.uid)
    waiting.refused(in_flight, frozenset({"Fit"}), 0)
    waiting.failed(in_flight, 0)
    assert waiting.pop(1e6) is None
    assert waiting.next_deadline() is None


def test_one_of_alike_pods_is_asked_for_all() -> None:
    asked: list[str] = []

    def hint(given: PodInfo, old: Object | None, new: Object | None) -> bool:
        asked.append(given.pod.metadata.name)
        return True

    events: dict[str, dict[ClusterEvent, Hint | None]] = {"Fit": {ClusterEvent.NODE_ADDED: hint}}
    waiting = SchedulingQueue(
        lambda pod: None, PrioritySort().sort_key, events, alike=lambda plugin, pod: pod.pod.metadata.name[0]
    )
    for number, name in enumerate(["a1", "a2", "a3", "b1"]):
        waiting.add(pod(name), number)
    for _ in range(4):
        waiting.refused(pop(waiting, 10), frozenset({"Fit"}), 10)
    waiting.move(ClusterEvent.NODE_ADDED, None, node(), 100)
    assert asked == ["a1", "b1"]
    assert names(waiting, 100) == ["a1", "a2", "a3", "b1"]


def test_a_pod_for_which_room_is_kept_is_asked_apart_from_its_like() -> None:
    def hint(given: PodInfo, old: Object | None, new: Object | None) -> bool:
        return given.pod.metadata.name == "expected"

    events: dict[str, dict[ClusterEvent, Hint | None]] = {"Fit": {ClusterEvent.POD_DELETED: hint}}
    waiting = SchedulingQueue(lambda pod: None, PrioritySort().sort_key, events, alike=lambda plugin, pod: "all")
    uids = {}
    for number, name in enumerate(["first", "expected", "last"]):
        waiting.add(one := pod(name), number)
        uids[name] = one.metadata.uid
    for _ in range(3):
        waiting.refused(pop(waiting, 10), frozenset({"Fit"}), 10)
    waiting.move(ClusterEvent.POD_DELETED, pod(), None, 100, (uids["expected"],))
    assert names(waiting, 100) == ["expected"]
