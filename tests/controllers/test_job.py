from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.batch_v1 import Job, UncountedTerminatedPods
from kcore.api.core_v1 import Binding, ContainerStatus, Namespace, Node, ObjectReference, Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from tests.controllers.control import controlled, make_ready, manager, pods_of, template
from tests.controllers.jobs import conditions, create_job, end, get_job, job, run_to_end, running, spec
from tests.sim.world import World, world

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


async def test_suspended_job_ends_its_pods_uncounted_and_starts_anew_when_resumed() -> None:
    async with controlled() as w:
        j = await create_job(w, completions=2, parallelism=2)
        await w.settle(5)
        started = (await get_job(w)).status.start_time
        j = await get_job(w)
        await w.client.update(replace(j, spec=replace(j.spec, suspend=True)))
        await w.settle()
        j = await get_job(w)
        assert await pods_of(w) == []
        assert conditions(j) == [("Suspended", "JobSuspended", "Job suspended")]
        assert (j.status.active, j.status.failed) == (0, 0)
        await w.client.update(replace(j, spec=replace(j.spec, suspend=False)))
        await w.settle()
        j = await get_job(w)
        assert len(await running(w)) == 2
        assert conditions(j) == []
        assert [(c.status, c.reason, c.message) for c in j.status.conditions] == [
            ("False", "JobResumed", "Job resumed")
        ]
        assert j.status.start_time != started
        told = await w.told(j)
        assert told.index("Normal Suspended Job suspended") < told.index("Normal Resumed Job resumed")


async def test_job_created_suspended_starts_nothing_not_even_its_deadline() -> None:
    async with controlled() as w:
        await create_job(w, suspend=True, active_deadline_seconds=5)
        await w.settle(20)
        j = await get_job(w)
        assert conditions(j) == [("Suspended", "JobSuspended", "Job suspended")]
        assert (j.status.start_time, j.status.active, j.status.ready) == (None, 0, 0)
        assert await pods_of(w) == []


async def test_job_of_another_manager_is_left_alone() -> None:
    async with controlled() as w:
        await create_job(w, managed_by="example.com/queue")
        j = await get_job(w)
        assert await pods_of(w) == []
        assert j.status.start_time is None
        assert j.status.uncounted_terminated_pods is None


async def test_fewer_parallel_pods_are_wanted_then_more() -> None:
    async with controlled() as w:
        j = await create_job(w, completions=10, parallelism=4)
        j = await get_job(w)
        await w.client.update(replace(j, spec=replace(j.spec, parallelism=1)))
        await w.settle()
        assert len(await running(w)) == 1
        j = await get_job(w)
        assert (j.status.active, j.status.failed) == (1, 0)
        await w.client.update(replace(j, spec=replace(j.spec, parallelism=3)))
        await w.settle()
        assert len(await running(w)) == 3


async def test_deleted_pod_counts_as_failed_and_is_replaced_at_once_or_when_it_is_gone() -> None:
    for policy, at_once in (("TerminatingOrFailed", True), ("Failed", False)):
        async with controlled() as w:
            await create_job(w, pod_replacement_policy=policy)
            pod = await on_node(w, (await running(w))[0])
            await w.client.delete(Pod, pod.metadata.name, "ns")
            await w.settle(15)
            assert len(await running(w)) == at_once
            j = await get_job(w)
            assert (j.status.terminating, j.status.failed) == (1, int(at_once))
            pod = await w.client.get(Pod, pod.metadata.name, "ns")
            await end(w, pod, 137)
            await w.client.delete(Pod, pod.metadata.name, "ns", DeleteOptions(grace_period_seconds=0))
            await w.settle(15)
            j = await get_job(w)
            assert len(await running(w)) == 1
            assert (j.status.terminating, j.status.failed) == (0, 1)


async def test_finished_pod_that_is_deleted_before_it_is_counted_waits_for_that() -> None:
    async with controlled() as w:
        await create_job(w, completions=2, parallelism=1)
        pod = (await running(w))[0]
        await end(w, pod)
        await w.client.delete(Pod, pod.metadata.name, "ns")
        await w.settle()
        j = await get_job(w)
        assert (j.status.succeeded, j.status.failed) == (1, 0)
        with pytest.raises(NotFound):
            await w.client.get(Pod, pod.metadata.name, "ns")


async def test_pods_uncounted_when_the_controller_died_are_counted_once() -> None:
    async with world() as w:
        await w.create_namespace()
        await w.tasks.start(w.informers.run)
        async with anyio.create_task_group() as life:
            await life.start(manager(w).run)
            await create_job(w, completions=3, parallelism=3)
            life.cancel_scope.cancel()
        still_there, gone, released = await running(w)
        await end(w, still_there)
        await end(w, gone)
        await end(w, released, 1)
        # As a controller leaves it that dies between noting the pods and counting them.
        j = await get_job(w)
        noted = UncountedTerminatedPods(
            succeeded=(still_there.metadata.uid, gone.metadata.uid), failed=(released.metadata.uid,)
        )
        await w.client.update(
            replace(j, status=replace(j.status, uncounted_terminated_pods=noted)), subresource="status"
        )
        for pod in (gone, released):
            await w.client.patch(Pod, pod.metadata.name, {"metadata": {"finalizers": None}}, "ns")
        await w.client.delete(Pod, gone.metadata.name, "ns", DeleteOptions(grace_period_seconds=0))
        await w.tasks.start(manager(w).run)
        await w.settle()
        j = await get_job(w)
        assert (j.status.succeeded, j.status.failed) == (2, 1)
        assert j.status.uncounted_terminated_pods == UncountedTerminatedPods()
        await w.settle(30)
        assert len(await running(w)) == 1


@pytest.mark.parametrize("seed", range(8))
async def test_controllers_that_die_at_any_moment_neither_lose_nor_repeat_a_pod(seed: int) -> None:
    async with world(seed) as w:
        await w.create_namespace()
        await w.tasks.start(w.informers.run)
        w.tasks.start_soon(run_to_end, w, lambda: iter((0, 1, 0, 0, 1, 1, 0)))
        await w.client.create(job(completions=20, parallelism=6, backoff_limit=10))
        for _ in range(40):
            with anyio.move_on_after(w.chance.random.random() * 2):
                async with anyio.create_task_group() as life:
                    await life.start(manager(w).run)
        await w.tasks.start(manager(w).run)
        await w.settle(600)
        j = await get_job(w)
        phases = [pod.status.phase for pod in await pods_of(w)]
        assert conditions(j) == COMPLETE
        assert (j.status.succeeded, j.status.failed) == (phases.count("Succeeded"), phases.count("Failed"))
        assert j.status.failed == 3
        assert all(not pod.metadata.finalizers for pod in await pods_of(w))


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
async def test_pods_of_a_deleted_job_are_let_go(propagation: str) -> None:
    async with controlled() as w:
        await create_job(w, completions=3, parallelism=3)
        await end(w, (await running(w))[0])
        await w.client.delete(Job, "j", "ns", DeleteOptions(propagation_policy=propagation))
        await w.settle(5)
        with pytest.raises(NotFound):
            await get_job(w)
        left = await pods_of(w)
        assert len(left) == (3 if propagation == "Orphan" else 0)
        assert all(not pod.metadata.finalizers and not pod.metadata.owner_references for pod in left)


async def test_job_with_a_selector_of_its_own_adopts_pods() -> None:
    async with controlled() as w:
        free = Pod(metadata=ObjectMeta(name="free", namespace="ns", labels={"app": "web"}), spec=template().spec)
        await w.client.create(free)
        fields = spec(manual_selector=True, selector=LabelSelector(match_labels={"app": "web"}))
        labeled = replace(fields.template, metadata=ObjectMeta(labels={"app": "web"}))
        await w.client.create(replace(job(), spec=replace(fields, template=labeled)))
        await w.settle()
        (pod,) = await pods_of(w)
        assert (pod.metadata.name, pod.metadata.finalizers) == ("free", ("batch.kubernetes.io/job-tracking",))
        await end(w, pod)
        await w.settle()
        assert conditions(await get_job(w)) == COMPLETE


async def test_thousand_pods_run_to_completion() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_to_end, w)
        await w.client.create(job(completions=1000, parallelism=1000))
        await w.settle(60)
        j = await get_job(w)
        assert conditions(j) == COMPLETE
        assert (j.status.succeeded, j.status.failed, len(await pods_of(w))) == (1000, 0, 1000)


async def test_pod_lost_with_its_node_is_given_up_and_replaced() -> None:
    async with controlled() as w:
        await w.client.create(Node(metadata=ObjectMeta(name="n1")))
        await create_job(w)
        lost = await on_node(w, (await running(w))[0])
        await w.client.delete(Node, "n1")
        await w.settle(38)
        assert (await get_job(w)).status.failed == 0
        await w.settle(25)
        j = await get_job(w)
        assert j.status.failed == 1
        (pod,) = await pods_of(w)
        assert pod.metadata.uid != lost.metadata.uid


async def test_namespace_with_running_jobs_goes() -> None:
    async with controlled() as w:
        await create_job(w, completions=4, parallelism=2)
        await w.client.delete(Namespace, "ns")
        await w.settle(30)
        with pytest.raises(NotFound):
            await w.client.get(Namespace, "ns")


async def on_node(w: World, pod: Pod) -> Pod:
    """The pod, bound to `n1` and running."""
    target = ObjectReference(kind="Node", name="n1")
    binding = Binding(metadata=ObjectMeta(name=pod.metadata.name, namespace="ns"), target=target)
    await w.client.create_subresource(Pod, pod.metadata.name, "ns", "binding", binding)
    return await make_ready(w, await w.client.get(Pod, pod.metadata.name, "ns"))
