from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.batch_v1 import (
    Job,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from kcore.api.core_v1 import Pod, PodCondition
from kcore.controllers.jobbackoff import Failures
from kcore.controllers.jobindexes import format_indexes, parse_indexes
from kcore.controllers.jobpolicies import success_message
from tests.controllers.control import controlled, pods_of
from tests.controllers.jobs import by_index, conditions, create_job, end, get_job, running
from tests.sim.world import World

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


async def indexed(w: World, completions: int = 3, **fields: Any) -> Job:
    fields.setdefault("parallelism", completions)
    return await create_job(w, completion_mode="Indexed", completions=completions, **fields)


def on_exit(action: str, *codes: int, operator: str = "In") -> PodFailurePolicyRule:
    requirement = PodFailurePolicyOnExitCodesRequirement(operator=operator, values=codes)
    return PodFailurePolicyRule(action=action, on_exit_codes=requirement)


def policy(*rules: PodFailurePolicyRule) -> PodFailurePolicy:
    return PodFailurePolicy(rules=rules)


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ((), ""),
        ((0,), "0"),
        ((0, 1), "0,1"),
        ((1, 3, 4, 5, 7), "1,3-5,7"),
        ((0, 1, 2, 9, 10), "0-2,9,10"),
    ],
)
def test_indexes_in_writing(indexes: tuple[int, ...], text: str) -> None:
    assert format_indexes(indexes) == text
    assert parse_indexes(text, 11) == set(indexes)


def test_indexes_beyond_the_completions_are_forgotten() -> None:
    assert parse_indexes("0,3-8,10", 5) == {0, 3, 4}


@pytest.mark.parametrize(
    ("rule", "succeeded", "message"),
    [
        (SuccessPolicyRule(succeeded_count=2), (0, 4), "Matched rules at index 0"),
        (SuccessPolicyRule(succeeded_count=2), (4,), ""),
        (SuccessPolicyRule(succeeded_indexes="0,2-3"), (0, 2, 3, 4), "Matched rules at index 0"),
        (SuccessPolicyRule(succeeded_indexes="0,2-3"), (0, 2, 4), ""),
        (SuccessPolicyRule(succeeded_indexes="0,2-3", succeeded_count=2), (0, 3), "Matched rules at index 0"),
        (SuccessPolicyRule(succeeded_indexes="0,2-3", succeeded_count=2), (1, 3), ""),
        (SuccessPolicyRule(succeeded_count=1), (), ""),
    ],
)
def test_success_policy(rule: SuccessPolicyRule, succeeded: tuple[int, ...], message: str) -> None:
    assert success_message(SuccessPolicy(rules=(rule,)), 5, frozenset(succeeded)) == message


@pytest.mark.parametrize(("failures", "wait"), [(0, 0), (1, 10), (2, 20), (6, 320), (7, 600), (100, 600)])
def test_waits_double_up_to_ten_minutes(failures: int, wait: float) -> None:
    assert Failures(failures, 1000.0).seconds_left(1000.0) == wait
    assert Failures(failures, 1000.0).seconds_left(1000.0 + wait) == 0


async def test_each_index_has_its_pod() -> None:
    async with controlled() as w:
        await indexed(w, 2)
        pods = by_index(await running(w))
        assert sorted(pods) == [0, 1]
        pod = pods[1]
        assert pod.metadata.name.startswith("j-1-")
        assert pod.spec.hostname == "j-1"
        assert pod.metadata.labels["batch.kubernetes.io/job-completion-index"] == "1"
        (variable,) = pod.spec.containers[0].env
        assert variable.name == "JOB_COMPLETION_INDEX"
        assert variable.value_from is not None
        assert variable.value_from.field_ref is not None
        path = "metadata.labels['batch.kubernetes.io/job-completion-index']"
        assert variable.value_from.field_ref.field_path == path


async def test_indexes_complete_in_any_order_and_each_counts_once() -> None:
    async with controlled() as w:
        await indexed(w, 5, parallelism=3)
        await end(w, by_index(await running(w))[2])
        await w.settle()
        pods = by_index(await running(w))
        assert sorted(pods) == [0, 1, 3]
        await end(w, pods[0])
        await end(w, pods[3], 1)
        await w.settle()
        j = await get_job(w)
        assert (j.status.completed_indexes, j.status.succeeded, j.status.failed) == ("0,2", 2, 1)
        await w.settle(15)
        pods = by_index(await running(w))
        assert sorted(pods) == [1, 3, 4]
        for pod in pods.values():
            await end(w, pod)
        await w.settle()
        j = await get_job(w)
        assert (j.status.completed_indexes, j.status.succeeded) == ("0-4", 5)
        assert conditions(j)[-1][0] == "Complete"


async def test_second_pod_of_an_index_is_removed() -> None:
    async with controlled() as w:
        await indexed(w, 2)
        twin = by_index(await running(w))[0]
        metadata = replace(twin.metadata, name="twin", uid="", resource_version="", generate_name="")
        await w.client.create(Pod(metadata=metadata, spec=twin.spec))
        await w.settle()
        assert sorted(by_index(await running(w))) == [0, 1]
        assert len(await running(w)) == 2


async def test_indexes_fail_by_themselves_and_the_job_goes_on() -> None:
    async with controlled() as w:
        await indexed(w, 3, backoff_limit_per_index=1)
        for wait in (10, 0):
            await end(w, by_index(await running(w))[1], 1)
            await w.settle(wait + 2)
        j = await get_job(w)
        assert (j.status.failed_indexes, j.status.failed, sorted(by_index(await running(w)))) == ("1", 2, [0, 2])
        assert conditions(j) == []
        for pod in await running(w):
            await end(w, pod)
        await w.settle()
        j = await get_job(w)
        assert conditions(j) == [
            ("FailureTarget", "FailedIndexes", "Job has failed indexes"),
            ("Failed", "FailedIndexes", "Job has failed indexes"),
        ]
        assert (j.status.completed_indexes, j.status.failed_indexes) == ("0,2", "1")
        assert all(not pod.metadata.finalizers for pod in await pods_of(w))


async def test_failures_of_an_index_are_counted_from_pod_to_pod() -> None:
    async with controlled() as w:
        await indexed(w, 1, backoff_limit_per_index=5, pod_failure_policy=policy(on_exit("Ignore", 42)))
        seen = []
        for code in (1, 42, 1):
            (pod,) = await running(w)
            seen.append((pod.metadata.annotations.get(FAILURES), pod.metadata.annotations.get(IGNORED)))
            await end(w, pod, code)
            await w.settle(50)
        assert seen == [("0", None), ("1", None), ("1", "1")]
        assert (await get_job(w)).status.failed == 2


async def test_too_many_failed_indexes_end_the_job() -> None:
    async with controlled() as w:
        await indexed(w, 4, backoff_limit_per_index=0, max_failed_indexes=1)
        pods = by_index(await running(w))
        await end(w, pods[0], 1)
        await end(w, pods[2], 1)
        await w.settle()
        j = await get_job(w)
        words = "Job has exceeded the specified maximal number of failed indexes"
        assert conditions(j)[-1] == ("Failed", "MaxFailedIndexesExceeded", words)
        assert j.status.failed_indexes == "0,2"
        assert await running(w) == []


async def test_success_policy_ends_the_pods_left_and_counts_none_of_them() -> None:
    async with controlled() as w:
        rule = SuccessPolicyRule(succeeded_indexes="0")
        await indexed(w, 3, success_policy=SuccessPolicy(rules=(rule,)))
        await end(w, by_index(await running(w))[0])
        await w.settle()
        j = await get_job(w)
        words = "Matched rules at index 0"
        assert conditions(j) == [("SuccessCriteriaMet", "SuccessPolicy", words), ("Complete", "SuccessPolicy", words)]
        assert (j.status.succeeded, j.status.failed, j.status.active) == (1, 0, 0)
        assert await running(w) == []


async def test_policy_fails_the_job_at_once() -> None:
    async with controlled() as w:
        await create_job(w, pod_failure_policy=policy(on_exit("Ignore", 3), on_exit("FailJob", 1, 2)))
        (pod,) = await running(w)
        await end(w, pod, 2)
        await w.settle()
        name = f"ns/{pod.metadata.name}"
        words = f"Container app for pod {name} failed with exit code 2 matching FailJob rule at index 1"
        assert conditions(await get_job(w))[-1] == ("Failed", "PodFailurePolicy", words)


async def test_policy_fails_an_index_at_once() -> None:
    async with controlled() as w:
        rules = policy(on_exit("FailIndex", 7))
        await indexed(w, 2, backoff_limit_per_index=5, pod_failure_policy=rules)
        await end(w, by_index(await running(w))[0], 7)
        await w.settle()
        j = await get_job(w)
        assert (j.status.failed_indexes, j.status.failed) == ("0", 1)


async def test_policy_ignores_disrupted_pods() -> None:
    async with controlled() as w:
        pattern = PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
        rule = PodFailurePolicyRule(action="Ignore", on_pod_conditions=(pattern,))
        await create_job(w, backoff_limit=0, pod_failure_policy=policy(rule))
        (pod,) = await running(w)
        disrupted = PodCondition(type="DisruptionTarget", status="True")
        pod = replace(pod, status=replace(pod.status, conditions=(*pod.status.conditions, disrupted)))
        await end(w, pod, 137)
        await w.settle(20)
        j = await get_job(w)
        assert (conditions(j), j.status.failed) == ([], 0)
        assert len(await running(w)) == 1


async def test_policy_fails_the_job_for_codes_beside_a_list() -> None:
    async with controlled() as w:
        await create_job(w, pod_failure_policy=policy(on_exit("FailJob", 1, 2, operator="NotIn")))
        await end(w, (await running(w))[0], 1)
        await w.settle(15)
        assert conditions(await get_job(w)) == []
        await end(w, (await running(w))[0], 9)
        await w.settle()
        assert conditions(await get_job(w))[-1][1] == "PodFailurePolicy"
