"""What is filled into workloads, jobs and autoscalers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kcore.api import autoscaling_v1
from kcore.api.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kcore.api.autoscaling_v2 import HorizontalPodAutoscaler
from kcore.api.batch_v1 import CronJob, Job
from kcore.api.core_v1 import ReplicationController
from kcore.registry.autoscaler_views import as_v1, as_v2
from kcore.registry.defaults.apps_v1 import (
    default_daemon_set,
    default_deployment,
    default_replica_set,
    default_replication_controller,
    default_stateful_set,
)
from kcore.registry.defaults.autoscaling import default_horizontal_pod_autoscaler
from kcore.registry.defaults.batch_v1 import default_cron_job, default_job
from tests.registry.specimens import LABELS, made, template, tree, workload

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


@pytest.mark.parametrize(
    ("type_", "default", "given", "filled"),
    [
        (
            Deployment,
            default_deployment,
            {},
            {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": ROLLING},
        ),
        (Deployment, default_deployment, {"strategy": {"type": "Recreate"}}, {"strategy": {"type": "Recreate"}}),
        (
            Deployment,
            default_deployment,
            {"replicas": 0, "strategy": {"rollingUpdate": {"maxSurge": 0}}},
            {
                "replicas": 0,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}},
            },
        ),
        (ReplicaSet, default_replica_set, {}, {"replicas": 1}),
        (
            DaemonSet,
            default_daemon_set,
            {},
            {
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            },
        ),
        (
            StatefulSet,
            default_stateful_set,
            {},
            {
                "replicas": 1,
                "serviceName": "",
                "podManagementPolicy": "OrderedReady",
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
        ),
        (
            StatefulSet,
            default_stateful_set,
            {"updateStrategy": {"type": "OnDelete"}},
            {"updateStrategy": {"type": "OnDelete"}},
        ),
        (
            Job,
            default_job,
            {},
            {
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "suspend": False,
                "manualSelector": False,
                "podReplacementPolicy": "TerminatingOrFailed",
            },
        ),
        (Job, default_job, {"completions": 3}, {"completions": 3, "parallelism": 1}),
        (Job, default_job, {"backoffLimitPerIndex": 1}, {"backoffLimit": 2**31 - 1}),
        (Job, default_job, {"podFailurePolicy": {"rules": []}}, {"podReplacementPolicy": "Failed"}),
    ],
)
def test_specs_are_filled(
    type_: type[Any], default: Callable[[Any], None], given: dict[str, Any], filled: dict[str, Any]
) -> None:
    spec = tree(made(workload(**given), type_, default))["spec"]
    assert {k: spec[k] for k in filled} == filled
    assert spec["template"]["spec"]["schedulerName"] == "default-scheduler"


def test_claim_templates_keep_their_kind() -> None:
    claims = [{"metadata": {"name": "data"}}]
    stateful_set = made(workload(volumeClaimTemplates=claims), StatefulSet, default_stateful_set)
    assert tree(stateful_set.spec.volume_claim_templates[0]) == {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": "data"},
        "spec": {"resources": {}, "volumeMode": "Filesystem"},
        "status": {"phase": "Pending"},
    }


def test_a_replication_controller_takes_selector_and_labels_from_its_template() -> None:
    document = {"metadata": {"name": "rc"}, "spec": {"template": template()}}
    controller = made(document, ReplicationController, default_replication_controller)
    assert controller.spec.selector == controller.metadata.labels == LABELS


def test_cron_jobs_keep_three_successes_and_one_failure() -> None:
    document = {"metadata": {"name": "c"}, "spec": {"schedule": "@daily", "jobTemplate": {"spec": {}}}}
    spec = made(document, CronJob, default_cron_job).spec
    assert (spec.successful_jobs_history_limit, spec.failed_jobs_history_limit) == (3, 1)
    assert (spec.concurrency_policy, spec.suspend) == ("Allow", False)
    assert spec.job_template.spec.parallelism is None


def autoscaler(**spec: Any) -> HorizontalPodAutoscaler:
    reference = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    document = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": reference, "maxReplicas": 3, **spec}}
    return made(document, HorizontalPodAutoscaler, default_horizontal_pod_autoscaler)


def test_autoscalers_look_at_the_cpu_unless_told_otherwise() -> None:
    target = {"type": "Utilization", "averageUtilization": 80}
    metrics = tree(autoscaler().spec.metrics)
    assert metrics == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def test_scaling_rules_get_the_policies_they_lack() -> None:
    behavior = autoscaler(behavior={"scaleUp": {"stabilizationWindowSeconds": 5}, "scaleDown": {}}).spec.behavior
    assert behavior is not None
    assert behavior.scale_up is not None
    assert behavior.scale_down is not None
    assert behavior.scale_up.stabilization_window_seconds == 5
    assert [(p.type, p.value, p.period_seconds) for p in behavior.scale_up.policies] == [
        ("Pods", 4, 15),
        ("Percent", 100, 15),
    ]
    assert [(p.type, p.value) for p in behavior.scale_down.policies] == [("Percent", 100)]
    assert behavior.scale_down.stabilization_window_seconds is None


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
                }
            ]
        },
        {
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "q", "selector": {"matchLabels": {"q": "1"}}},
                        "target": {"type": "Value", "value": "30"},
                    },
                }
            ]
        },
        {
            "metrics": [
                {
                    "type": "Object",
                    "object": {
                        "describedObject": {"kind": "Service", "name": "s"},
                        "metric": {"name": "hits"},
                        "target": {"type": "Value", "value": "2k"},
                    },
                }
            ]
        },
        {
            "metrics": [
                {
                    "type": "ContainerResource",
                    "containerResource": {
                        "name": "cpu",
                        "container": "c",
                        "target": {"type": "Utilization", "averageUtilization": 6},
                    },
                }
            ]
        },
        {"behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}]}}},
    ],
)
def test_an_autoscaler_survives_a_client_of_the_older_version(spec: dict[str, Any]) -> None:
    stored = autoscaler(**spec)
    assert as_v2(as_v1(stored)) == stored


def test_the_older_version_has_a_field_for_the_cpu() -> None:
    seen = as_v1(autoscaler())
    assert isinstance(seen, autoscaling_v1.HorizontalPodAutoscaler)
    assert seen.spec.target_cpu_utilization_percentage == 80
    assert seen.metadata.annotations == {}


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', '[{"type": 5}]', "null"])
def test_annotations_that_make_no_sense_say_nothing(text: str) -> None:
    seen = as_v1(autoscaler())
    keys = ("behavior", "metrics", "conditions")
    seen.metadata.annotations.update({f"autoscaling.alpha.kubernetes.io/{k}": text for k in keys})  # type: ignore[attr-defined]
    assert as_v2(seen).spec.metrics == autoscaler().spec.metrics
