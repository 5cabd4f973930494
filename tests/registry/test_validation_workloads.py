"""The rules of workloads, jobs, autoscalers and disruption budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kcore.api.apps_v1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from kcore.api.autoscaling_v2 import HorizontalPodAutoscaler
from kcore.api.batch_v1 import CronJob, Job
from kcore.api.core_v1 import ReplicationController
from kcore.api.field import FieldError
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.registry.defaults.apps_v1 import (
    default_daemon_set,
    default_deployment,
    default_replica_set,
    default_replication_controller,
    default_stateful_set,
)
from kcore.registry.defaults.autoscaling import default_horizontal_pod_autoscaler
from kcore.registry.defaults.batch_v1 import default_cron_job, default_job
from kcore.registry.validation.autoscalers import validate_autoscaler
from kcore.registry.validation.cron_jobs import validate_cron_job
from kcore.registry.validation.daemon_sets import (
    validate_controller_revision,
    validate_controller_revision_update,
    validate_daemon_set,
)
from kcore.registry.validation.deployments import (
    validate_deployment,
    validate_deployment_status,
    validate_deployment_update,
)
from kcore.registry.validation.disruption_budgets import validate_disruption_budget
from kcore.registry.validation.job_status import validate_job_status
from kcore.registry.validation.jobs import validate_job, validate_job_update
from kcore.registry.validation.replica_sets import validate_replica_set, validate_replication_controller
from kcore.registry.validation.stateful_sets import validate_stateful_set, validate_stateful_set_update
from tests.registry.specimens import LABELS, lines, made, template, workload

Rule = Callable[[Any], Iterable[FieldError]]
Default = Callable[[Any], None]

KINDS: dict[type[Any], tuple[Default, Rule]] = {
    Deployment: (default_deployment, validate_deployment),
    ReplicaSet: (default_replica_set, validate_replica_set),
    StatefulSet: (default_stateful_set, validate_stateful_set),
    DaemonSet: (default_daemon_set, validate_daemon_set),
    ReplicationController: (default_replication_controller, validate_replication_controller),
    Job: (default_job, validate_job),
    CronJob: (default_cron_job, validate_cron_job),
    HorizontalPodAutoscaler: (default_horizontal_pod_autoscaler, validate_autoscaler),
    PodDisruptionBudget: (lambda obj: None, validate_disruption_budget),
}
MISMATCH = 'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'
ROLLING = "spec.updateStrategy.rollingUpdate"


def problems(type_: type[Any], document: dict[str, Any]) -> list[str]:
    default, rule = KINDS[type_]
    return lines(rule(made(document, type_, default)))


@pytest.mark.parametrize("type_", [Deployment, ReplicaSet, StatefulSet, DaemonSet])
def test_plain_workloads_are_sound(type_: type[Any]) -> None:
    assert problems(type_, workload()) == []


@pytest.mark.parametrize(
    ("type_", "given", "expected"),
    [
        (Deployment, {"selector": None}, ["spec.selector: Required value", MISMATCH]),
        (
            Deployment,
            {"selector": {}},
            ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (Deployment, {"selector": {"matchLabels": {"a": "b"}}}, [MISMATCH]),
        (Deployment, {"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (
            Deployment,
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            Deployment,
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            Deployment,
            {"strategy": {"type": "Blue"}},
            [
                'spec.strategy: Unsupported value: {"Type":"Blue","RollingUpdate":null}: '
                'supported values: "Recreate", "RollingUpdate"'
            ],
        ),
        (
            Deployment,
            {"template": template(restartPolicy="Never", activeDeadlineSeconds=5)},
            [
                'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
                "spec.template.spec.activeDeadlineSeconds: Forbidden: "
                "activeDeadlineSeconds in ReplicaSet is not Supported",
            ],
        ),
        (
            StatefulSet,
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            [
                f'{ROLLING}: Invalid value: {{"Partition":1,"MaxUnavailable":null}}: '
                "only allowed for updateStrategy 'RollingUpdate'"
            ],
        ),
        (
            StatefulSet,
            {"podManagementPolicy": "Any"},
            ["spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'"],
        ),
        (
            DaemonSet,
            {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}},
            [f"{ROLLING}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"],
        ),
        (
            DaemonSet,
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
            [f"{ROLLING}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"],
        ),
        (
            ReplicationController,
            {"selector": {}, "template": None},
            ["spec.selector: Required value", "spec.template: Required value"],
        ),
        (ReplicationController, {"selector": {"a": "b"}}, [MISMATCH]),
    ],
)
def test_a_workload_keeps_its_rules(type_: type[Any], given: dict[str, Any], expected: list[str]) -> None:
    assert problems(type_, workload(**given)) == expected


def test_selectors_and_most_of_a_stateful_set_are_for_life() -> None:
    old = made(workload(), Deployment, default_deployment)
    moved = {"selector": {"matchLabels": {"a": "b"}}, "template": {**template(), "metadata": {"labels": {"a": "b"}}}}
    new = made(workload(**moved), Deployment, default_deployment)
    assert lines(validate_deployment_update(new, old)) == [
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'
    ]
    standing = made(workload(), StatefulSet, default_stateful_set)
    scaled = made(workload(replicas=3, minReadySeconds=1), StatefulSet, default_stateful_set)
    renamed = made(workload(serviceName="s"), StatefulSet, default_stateful_set)
    assert lines(validate_stateful_set_update(scaled, standing)) == []
    assert lines(validate_stateful_set_update(renamed, standing)) == [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
        "are forbidden"
    ]


def test_pods_and_claims_of_a_stateful_set_are_looked_into_when_it_is_made() -> None:
    mounts = [{"name": "data", "mountPath": "/data"}]
    container = {"name": "c", "image": "i", "volumeMounts": mounts}
    missing = workload(template=template(containers=[container]))
    path = "spec.template.spec.containers[0].volumeMounts[0].name"
    assert problems(StatefulSet, missing) == [f'{path}: Not found: "data"']
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    claimed = {**missing, "spec": {**missing["spec"], "volumeClaimTemplates": [claim]}}
    assert problems(StatefulSet, claimed) == [
        "spec.volumeClaimTemplates[0].spec.accessModes: Required value: at least 1 access mode is required"
    ]
    standing = made(missing, StatefulSet, default_stateful_set)
    assert lines(validate_stateful_set_update(standing, standing)) == []


def test_history_is_not_rewritten() -> None:
    old, new = ControllerRevision(data={"a": 1}, revision=1), ControllerRevision(data={"a": 2}, revision=1)
    assert lines(validate_controller_revision(ControllerRevision())) == ["data: Required value: data is mandatory"]
    assert lines(validate_controller_revision(ControllerRevision(data=[1]))) == [
        "data: Required value: data must be a valid JSON object"
    ]
    assert lines(validate_controller_revision_update(new, old)) == ['data: Invalid value: {"a":2}: field is immutable']


def test_counts_in_a_status_add_up() -> None:
    old = made(workload(), Deployment, default_deployment)
    status = {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3}
    new = made({**workload(), "status": status}, Deployment, default_deployment)
    assert lines(validate_deployment_status(new, old)) == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]


def job(restart: str = "Never", **spec: Any) -> dict[str, Any]:
    given = {"manualSelector": True, "selector": {"matchLabels": LABELS}, "template": template(restartPolicy=restart)}
    return {"metadata": {"name": "j"}, "spec": {**given, **spec}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        (
            {"restart": "Always"},
            ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
        ),
        (
            {"backoffLimitPerIndex": 1},
            ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
        ),
        (
            {"completionMode": "Indexed"},
            [],
        ),
        (
            {"managedBy": "nope"},
            ['spec.managedBy: Invalid value: "nope": must be a domain-prefixed path (such as "acme.io/foo")'],
        ),
        (
            {
                "podFailurePolicy": {
                    "rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3, 1]}}]
                }
            },
            ["spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,1]: must be ordered"],
        ),
        (
            {"podFailurePolicy": {"rules": [{"action": "Ignore"}]}},
            [
                "spec.podFailurePolicy.rules[0]: Invalid value: "
                "specifying one of OnExitCodes and OnPodConditions is required"
            ],
        ),
        (
            {"completionMode": "Indexed", "completions": 3, "successPolicy": {"rules": [{"succeededIndexes": "2-1"}]}},
            [
                'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "2-1": '
                "error parsing succeededIndexes: non-increasing order, previous: 2, current: 1"
            ],
        ),
        (
            {"completionMode": "Indexed", "completions": 3, "successPolicy": {"rules": [{"succeededCount": 4}]}},
            [
                "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: "
                "must be less than or equal to 3 (the number of specified completions)"
            ],
        ),
    ],
)
def test_a_job_keeps_its_rules(given: dict[str, Any], expected: list[str]) -> None:
    assert problems(Job, job(**given)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"parallelism": 1, "completions": 1}, {"parallelism": 2, "completions": 1}, []),
        ({"completions": 1}, {"completions": 3}, ["spec.completions: Invalid value: 3: field is immutable"]),
        (
            {"completionMode": "Indexed", "completions": 2, "parallelism": 2},
            {"completionMode": "Indexed", "completions": 3, "parallelism": 3},
            [],
        ),
        (
            {"suspend": True},
            {"suspend": True, "template": template(restartPolicy="Never", nodeSelector={"a": "b"})},
            [],
        ),
    ],
)
def test_what_a_job_is_may_not_change(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    before, after = (made(job(**d), Job, default_job) for d in (old, new))
    assert lines(validate_job_update(after, before)) == expected


REQUESTS = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "4"}}}


@pytest.mark.parametrize(
    ("standing", "changes", "field"),
    [
        ({"suspend": True}, {"containers": [REQUESTS]}, None),
        ({"suspend": True}, {"nodeSelector": {"a": "b"}}, None),
        ({"suspend": True}, {"hostname": "h"}, "spec.template.spec"),
        ({"suspend": True, "active": 1}, {"containers": [REQUESTS]}, "spec.template"),
        ({"suspend": True, "startTime": "2024-01-01T00:00:00Z"}, {"nodeSelector": {"a": "b"}}, "spec.template"),
        ({"suspend": False}, {"containers": [REQUESTS]}, "spec.template"),
    ],
)
def test_pods_of_a_job_change_while_it_rests(
    standing: dict[str, Any], changes: dict[str, Any], field: str | None
) -> None:
    suspend, status = standing["suspend"], {k: v for k, v in standing.items() if k != "suspend"}
    pods = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    old = made({**job(suspend=suspend, template=template(**pods)), "status": status}, Job, default_job)
    new = made({**job(suspend=suspend, template=template(**pods | changes)), "status": status}, Job, default_job)
    errors = list(validate_job_update(new, old))
    assert [(e.field, e.detail) for e in errors] == ([(field, "field is immutable")] if field else [])


DONE = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]
TIMES = {"startTime": "2024-01-01T00:00:00Z", "completionTime": "2024-01-01T00:01:00Z"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"active": 1, "ready": 1}, []),
        ({"conditions": DONE, **TIMES, "succeeded": 1}, []),
        ({"active": 1, "ready": 2}, ["status.ready: Invalid value: 2: cannot set more ready pods than active"]),
        (
            {"conditions": DONE, "startTime": TIMES["startTime"]},
            ["status.completionTime: Required value: completionTime is required for Complete jobs"],
        ),
        (
            {"conditions": [{"type": "Failed", "status": "True"}], "startTime": TIMES["startTime"]},
            [
                "status.conditions: Invalid value: "
                "cannot set Failed=True condition without the FailureTarget=true condition"
            ],
        ),
    ],
)
def test_the_status_of_a_job_tells_a_possible_story(status: dict[str, Any], expected: list[str]) -> None:
    old = made(job(), Job, default_job)
    new = made({**job(), "status": status}, Job, default_job)
    assert lines(validate_job_status(new, old)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"schedule": "@every 1h", "timeZone": "Europe/Paris"}, []),
        ({"schedule": ""}, ["spec.schedule: Required value"]),
        (
            {"schedule": "* * *"},
            ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'],
        ),
        (
            {"schedule": "TZ=UTC 0 * * * *"},
            [
                'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": '
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            ],
        ),
        (
            {"schedule": "@daily", "timeZone": "Mars/Olympus"},
            ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'],
        ),
    ],
)
def test_a_cron_job_keeps_its_rules(given: dict[str, Any], expected: list[str]) -> None:
    spec = {"jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}, **given}
    assert problems(CronJob, {"metadata": {"name": "c"}, "spec": spec}) == expected


METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 0}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        (
            {"minReplicas": 5},
            ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"],
        ),
        (
            {"metrics": [METRIC]},
            ["spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"],
        ),
        (
            {"metrics": [{"type": "Pods"}]},
            ["spec.metrics[0].pods: Required value: must populate information for the given metric source"],
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}}},
            [
                "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: "
                "must be less than or equal to 1800"
            ],
        ),
    ],
)
def test_an_autoscaler_keeps_its_rules(given: dict[str, Any], expected: list[str]) -> None:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3, **given}
    assert problems(HorizontalPodAutoscaler, {"metadata": {"name": "h"}, "spec": spec}) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": "50%"}, []),
        ({"minAvailable": -1}, ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]),
        ({"maxUnavailable": "150%"}, ['spec.maxUnavailable: Invalid value: "150%": must not be greater than 100%']),
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            [
                'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,'
                '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set'
            ],
        ),
        (
            {"unhealthyPodEvictionPolicy": "Never"},
            [
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": '
                'supported values: "AlwaysAllow", "IfHealthyBudget"'
            ],
        ),
    ],
)
def test_a_disruption_budget_keeps_its_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(PodDisruptionBudget, {"metadata": {"name": "b"}, "spec": spec}) == expected
