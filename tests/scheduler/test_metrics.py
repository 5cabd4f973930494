"""The figures that the scheduler tells of itself."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.api.meta_v1 import DeleteOptions
from kcore.kit.telling import telling
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import add
from tests.sim.world import world


def samples(scheduler: Scheduler, name: str) -> Mapping[tuple[str, ...], float]:
    """The values of one figure, by its labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in scheduler.metrics.figures().collect()
        for sample in family.samples
        if sample.name == name
    }


async def test_attempts_queues_and_cache_are_counted() -> None:
    async with world() as w:
        await w.create_namespace()
        await add(w, node("a", cpu="1"))
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        for name, cpu in (("x", "1"), ("y", "1")):
            await w.client.create(pod(name, cpu=cpu))
        await w.client.create(pod("gated", gates=["example.com/later"]))
        await w.settle()
        profile = "default-scheduler"
        assert samples(scheduler, "scheduler_schedule_attempts_total") == {
            ("scheduled", profile): 1,
            ("unschedulable", profile): 1,
        }
        assert samples(scheduler, "scheduler_pending_pods") == {
            ("active",): 0,
            ("backoff",): 0,
            ("unschedulable",): 1,
            ("gated",): 1,
        }
        assert samples(scheduler, "scheduler_unschedulable_pods") == {("NodeResourcesFit", profile): 1}
        assert samples(scheduler, "scheduler_cache_size")[("nodes",)] == 1
        incoming = samples(scheduler, "scheduler_queue_incoming_pods_total")
        assert incoming[("active", "PodAdd")] == 2
        assert incoming[("unschedulable", "ScheduleAttemptFailure")] == 1
        assert samples(scheduler, "scheduler_pod_scheduling_sli_duration_seconds_count") == {("1",): 1}
        assert samples(scheduler, "scheduler_preemption_attempts_total") == {(): 1}
        await w.client.delete(type(pod()), "x", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle(5)
        assert samples(scheduler, "scheduler_queue_incoming_pods_total")[("active", "AssignedPodDelete")] == 1
        assert samples(scheduler, "scheduler_schedule_attempts_total")[("scheduled", profile)] == 2


async def test_plugins_are_measured_in_one_cycle_of_ten() -> None:
    async with world() as w:
        await w.create_namespace()
        await add(w, node("a"))
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        for number in range(20):
            await w.client.create(pod(f"p{number}", cpu="1m"))
        await w.settle()
        counts = samples(scheduler, "scheduler_plugin_execution_duration_seconds_count")
        assert counts["DefaultBinder", "Bind", "Success"] == 2
        assert counts["NodeResourcesFit", "Filter", "Success"] == 2
        assert counts["NodeResourcesFit", "Score", "Success"] == 2


async def test_a_door_of_its_own_tells_them() -> None:
    async with world() as w:
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance)
        answer = telling(scheduler.metrics.figures)
        reply = answer("/metrics")
        assert reply is not None
        assert b"# TYPE scheduler_scheduling_attempt_duration_seconds histogram" in reply.body
        healthy = answer("/healthz")
        assert healthy is not None
        assert healthy.body == b"ok"
        assert answer("/elsewhere") is None
