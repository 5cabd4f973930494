"""What a Job's policies make of its pods: `podFailurePolicy` (KEP-3329) and `successPolicy` (KEP-3998)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kcore.api.batch_v1 import (
    Job,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicy,
)
from kcore.api.core_v1 import ContainerStatus, Pod
from kcore.controllers.jobindexes import parse_indexes

__all__ = ["COUNT", "Judgement", "judge", "success_message"]


class Judgement(NamedTuple):
    """What the failure of a pod means: `action` is that of the rule that matched, "" where none did."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether it counts towards the limits."""
        return self.action != "Ignore"


COUNT = Judgement()


def judge(job: Job, pod: Pod) -> Judgement:
    """The first rule that matches decides."""
    policy = job.spec.pod_failure_policy
    if policy is None:
        return COUNT
    for index, rule in enumerate(policy.rules):
        cause = _cause(rule, pod)
        if cause:
            return Judgement(rule.action, f"{cause} matching {rule.action} rule at index {index}")
    return COUNT


def _cause(rule: PodFailurePolicyRule, pod: Pod) -> str:
    """Why a rule matches; "": it does not."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if rule.on_exit_codes is None:
        found = _matching_condition(pod, rule.on_pod_conditions)
        return f"Pod {name} has condition {found}" if found else ""
    for statuses in (pod.status.container_statuses, pod.status.init_container_statuses):
        container = _matching_container(statuses, rule.on_exit_codes)
        if container is not None:
            assert container.state.terminated is not None
            code = container.state.terminated.exit_code
            return f"Container {container.name} for pod {name} failed with exit code {code}"
    return ""


def _matching_condition(pod: Pod, patterns: Iterable[PodFailurePolicyOnPodConditionsPattern]) -> str:
    wanted = {(p.type, p.status) for p in patterns}
    return next((c.type for c in pod.status.conditions if (c.type, c.status) in wanted), "")


def _matching_container(
    statuses: Iterable[ContainerStatus], requirement: PodFailurePolicyOnExitCodesRequirement
) -> ContainerStatus | None:
    for status in statuses:
        ended = status.state.terminated
        if ended is None or ended.exit_code == 0 or requirement.container_name not in (None, status.name):
            continue
        if (ended.exit_code in requirement.values) == (requirement.operator == "In"):
            return status
    return None


def success_message(policy: SuccessPolicy | None, completions: int, succeeded: frozenset[int]) -> str:
    """Which rule the indexes that succeeded satisfy; "": none."""
    for index, rule in enumerate(policy.rules if policy is not None else ()):
        if rule.succeeded_indexes is None:
            met = rule.succeeded_count is not None and len(succeeded) >= rule.succeeded_count
        else:
            wanted = parse_indexes(rule.succeeded_indexes, completions)
            needed = len(wanted) if rule.succeeded_count is None else min(len(wanted), rule.succeeded_count)
            met = bool(wanted) and len(wanted & succeeded) >= needed
        if met and succeeded:
            return f"Matched rules at index {index}"
    return ""
