from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Event, EventSource, Namespace, ObjectReference
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.correlation import Correlator, Occurrence
from tests.sim.world import world

SOURCE = EventSource(component="tester")
WEB = ObjectReference(kind="Pod", namespace="ns", name="web", uid="1")


def seen(message: str, at: float = 0.0, regarding: ObjectReference = WEB, reason: str = "Failed") -> Occurrence:
    return Occurrence(SOURCE, regarding, "Warning", reason, message, 1_000_000.0 + at)


def test_same_event_again_raises_the_count_of_the_one_that_stands() -> None:
    correlator = Correlator()
    first = correlator.correlate(seen("no such image"))
    again = correlator.correlate(seen("no such image", at=30))
    assert first is not None
    assert again is not None
    assert again.metadata.name == first.metadata.name
    assert (first.count, again.count) == (1, 2)
    assert again.first_timestamp == first.first_timestamp != again.last_timestamp


def test_event_is_named_after_object_and_time() -> None:
    event = Correlator().correlate(seen("x"))
    assert event is not None
    assert event.metadata.name == f"web.{1_000_000 * 10**9:x}"
    assert (event.metadata.namespace, event.source, event.reporting_component) == ("ns", SOURCE, "tester")


def test_many_similar_events_become_one() -> None:
    correlator = Correlator()
    events = [correlator.correlate(seen(f"attempt {n}")) for n in range(12)]
    messages = [event.message for event in events if event is not None]
    assert messages[8] == "attempt 8"
    assert messages[9:] == [f"(combined from similar events): attempt {n}" for n in (9, 10, 11)]
    combined = [event for event in events[9:] if event is not None]
    assert len({event.metadata.name for event in combined}) == 1
    assert [event.count for event in combined] == [1, 2, 3]


def test_similar_events_long_apart_stay_themselves() -> None:
    correlator = Correlator()
    for n in range(30):
        event = correlator.correlate(seen(f"attempt {n}", at=n * 700))
        assert event is not None
        assert event.message == f"attempt {n}"


@pytest.mark.parametrize(("pause", "written"), [(0, 25), (300, 26), (900, 28)])
def test_flood_about_one_object_is_cut_off(pause: float, written: int) -> None:
    correlator = Correlator()
    times = [0.0] * 40 + [pause] * 10
    events = [correlator.correlate(seen("x", at=at)) for at in times]
    assert sum(event is not None for event in events) == written
    other = ObjectReference(kind="Pod", namespace="ns", name="db", uid="2")
    assert correlator.correlate(seen("x", regarding=other)) is not None


async def test_recorded_events_are_written_with_their_counts() -> None:
    async with world() as w:
        await w.create_namespace()
        obj = await w.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns")))
        recorder = w.events.recorder("tester", host="here")
        recorder.event(obj, "Normal", "Seen", "hello")
        await w.settle()
        recorder.event(obj, "Normal", "Seen", "hello")
        await w.settle()
        [event] = (await w.client.list(Event, "ns")).items
        assert (event.reason, event.message, event.type, event.count) == ("Seen", "hello", "Normal", 2)
        assert event.source == EventSource(component="tester", host="here")
        regarding = event.involved_object
        assert (regarding.kind, regarding.api_version, regarding.name) == ("ConfigMap", "v1", "c")
        assert regarding.uid == obj.metadata.uid


async def test_what_waits_to_be_told_in_a_namespace_that_goes_is_forgotten() -> None:
    async with world() as w:
        await w.create_namespace()
        await w.create_namespace("other")
        going = await w.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns")))
        staying = await w.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="other")))
        await w.client.delete(Namespace, "ns")
        recorder, started = w.events.recorder("tester"), w.clock.now()
        for number in range(500):
            about = replace(going, metadata=replace(going.metadata, uid=str(number)))
            recorder.event(about, "Normal", "Seen", "goodbye")
        recorder.event(staying, "Normal", "Seen", "hello")
        while not (told := (await w.client.list(Event, "other")).items):  # virtual time costs nothing
            await w.settle(0.01)
        assert [event.message for event in told] == ["hello"]
        assert w.clock.now() - started < 0.1
        assert not (await w.client.list(Event, "ns")).items
