from __future__ import annotations

from kcore.api.batch_v1 import UncountedTerminatedPods
from tests.controllers.control import controlled, make_ready, pods_of
from tests.controllers.jobs import conditions, create_job, end, get_job, running

COMPLETE = [
    ("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"),
    ("Complete", "CompletionsReached", "Reached expected number of succeeded pods"),
]


def failed(reason: str, message: str) -> list[tuple[str, str, str]]:
    return [("FailureTarget", reason, message), ("Failed", reason, message)]


BACKOFF = failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")


async def test_job_completes_when_enough_pods_succeeded() -> None:
    async with controlled() as w:
        created = await create_job(w, completions=3, parallelism=2)
        j = await get_job(w)
        assert (j.status.active, j.status.ready, j.status.terminating) == (2, 0, 0)
        assert j.status.start_time is not None
        for _ in range(3):
            await end(w, (await running(w))[0])
            await w.settle()
        j = await get_job(w)
        assert conditions(j) == COMPLETE
        assert (j.status.active, j.status.succeeded, j.status.failed) == (0, 3, 0)
        assert j.status.completion_time == j.status.conditions[1].last_transition_time
        assert j.status.uncounted_terminated_pods == UncountedTerminatedPods()
        assert all(not pod.metadata.finalizers for pod in await pods_of(w))
        told = await w.told(created)
        assert [t.partition(" Created")[0] for t in told[:3]] == ["Normal SuccessfulCreate"] * 3
        assert told[3:] == ["Normal Completed Job completed"]


async def test_work_queue_lets_the_others_finish_after_the_first_success() -> None:
    async with controlled() as w:
        await create_job(w, parallelism=3)
        first, second, third = await running(w)
        await end(w, first)
        await w.settle()
        await end(w, second, 1)
        await w.settle(20)
        assert [p.metadata.name for p in await running(w)] == [third.metadata.name]
        assert conditions(await get_job(w)) == []
        await end(w, third)
        await w.settle()
        j = await get_job(w)
        assert conditions(j) == COMPLETE
        assert (j.status.succeeded, j.status.failed) == (2, 1)


async def test_no_completions_are_done_at_once() -> None:
    async with controlled() as w:
        await create_job(w, completions=0)
        assert conditions(await get_job(w)) == COMPLETE
        assert await pods_of(w) == []


async def test_failed_pods_are_replaced_later_and_later_until_the_limit() -> None:
    async with controlled() as w:
        await create_job(w, backoff_limit=2)
        for wait in (10, 20):
            await end(w, (await running(w))[0], 1)
            await w.settle(wait - 2)
            assert await running(w) == []
            await w.settle(3)
            assert len(await running(w)) == 1
        await end(w, (await running(w))[0], 1)
        await w.settle()
        j = await get_job(w)
        assert conditions(j) == BACKOFF
        assert (j.status.failed, j.status.completion_time) == (3, None)
        assert "Warning BackoffLimitExceeded Job has reached the specified backoff limit" in await w.told(j)


async def test_failing_job_ends_the_pods_that_still_run_and_waits_for_them() -> None:
    async with controlled() as w:
        await create_job(w, completions=3, parallelism=3, backoff_limit=0)
        pods = [await make_ready(w, pod) for pod in await running(w)]
        assert (await get_job(w)).status.ready == 0
        await w.settle()
        assert (await get_job(w)).status.ready == 3
        await end(w, pods[0], 1)
        await w.settle()
        j = await get_job(w)
        assert [c[0] for c in conditions(j)][-1] == "Failed"
        assert (j.status.active, j.status.failed) == (0, 3)


async def test_restarts_in_place_use_up_the_limit() -> None:
    from msgspec.structs import replace

    from kcore.api.core_v1 import ContainerStatus

    async with controlled() as w:
        await create_job(w, restart="OnFailure", backoff_limit=2)
        pod = await make_ready(w, (await running(w))[0])
        restarted = ContainerStatus(name="app", image="app:1", image_id="", restart_count=2)
        status = replace(pod.status, container_statuses=(restarted,))
        await w.client.update(replace(pod, status=status), subresource="status")
        await w.settle()
        assert conditions(await get_job(w)) == BACKOFF


async def test_deadline_ends_a_job() -> None:
    async with controlled() as w:
        await create_job(w, active_deadline_seconds=30)
        await w.settle(28)
        assert conditions(await get_job(w)) == []
        await w.settle(3)
        j = await get_job(w)
        assert conditions(j) == failed("DeadlineExceeded", "Job was active longer than specified deadline")
        assert await running(w) == []
        assert j.status.failed == 1
