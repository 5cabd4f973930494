"""What may change about a pod that exists."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.core_v1 import Pod
from kcore.registry.defaults.pods import default_pod
from kcore.registry.validation.pod_resize import validate_pod_resize
from kcore.registry.validation.pod_status import validate_pod_status_update
from kcore.registry.validation.pod_updates import validate_ephemeral_containers_update, validate_pod_update
from tests.registry.specimens import APP, lines, made, pod

MAY_CHANGE = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)
TOLERATION = {"key": "a", "operator": "Exists", "effect": "NoExecute"}


def made_pod(document: dict[str, Any]) -> Pod:
    return made(document, Pod, default_pod)


def changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return lines(validate_pod_update(made_pod(new), made_pod(old)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pod(), pod({"image": "registry.example/app:2.0"})),
        (pod(), pod(activeDeadlineSeconds=5)),
        (pod(activeDeadlineSeconds=5), pod(activeDeadlineSeconds=4)),
        (pod(), pod(tolerations=[TOLERATION])),
        (pod(tolerations=[TOLERATION]), pod(tolerations=[{**TOLERATION, "tolerationSeconds": 3}])),
        (pod(terminationGracePeriodSeconds=-1), pod(terminationGracePeriodSeconds=1)),
        (pod(schedulingGates=[{"name": "a"}, {"name": "b"}]), pod(schedulingGates=[{"name": "b"}])),
        (
            pod(schedulingGates=[{"name": "a"}], nodeSelector={"a": "b"}),
            pod(schedulingGates=[{"name": "a"}], nodeSelector={"a": "b", "c": "d"}),
        ),
    ],
)
def test_some_fields_may_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert changed(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            pod(),
            pod(containers=[APP, {**APP, "name": "b"}]),
            ["spec.containers: Forbidden: pod updates may not add or remove containers"],
        ),
        (
            pod(activeDeadlineSeconds=5),
            pod(activeDeadlineSeconds=6),
            ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
        ),
        (
            pod(activeDeadlineSeconds=5),
            pod(),
            ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
        ),
        (
            pod(tolerations=[TOLERATION]),
            pod(),
            ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
        ),
        (
            pod(schedulingGates=[{"name": "a"}]),
            pod(schedulingGates=[{"name": "b"}]),
            ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'"],
        ),
        (
            pod(schedulingGates=[{"name": "a"}], nodeSelector={"a": "b"}),
            pod(schedulingGates=[{"name": "a"}], nodeSelector={"a": "c"}),
            [
                'spec.nodeSelector: Invalid value: {"a":"c"}: '
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            ],
        ),
    ],
)
def test_the_others_may_not(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert changed(old, new) == expected


def test_the_refusal_of_a_change_shows_it() -> None:
    assert changed(pod(), pod(hostname="h", nodeSelector={"a": "b"})) == [
        MAY_CHANGE
        + """\
@@ -39,7 +39,9 @@
  "TerminationGracePeriodSeconds": 30,
  "ActiveDeadlineSeconds": null,
  "DNSPolicy": "ClusterFirst",
- "NodeSelector": null,
+ "NodeSelector": {
+  "a": "b"
+ },
  "ServiceAccountName": "",
  "AutomountServiceAccountToken": null,
  "NodeName": "",
@@ -64,7 +66,7 @@
   "SELinuxChangePolicy": null
  },
  "ImagePullSecrets": null,
- "Hostname": "",
+ "Hostname": "h",
  "Subdomain": "",
  "SetHostnameAsFQDN": null,
  "Affinity": null,
"""
    ]


def test_mirror_annotations_stay() -> None:
    old = pod(nodeName="n")
    old["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert changed(old, pod(nodeName="n")) == [
        "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation"
    ]


DEBUGGER = {"name": "d", "image": "busybox:1"}


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([DEBUGGER], []),
        ([{**DEBUGGER, "name": "e"}, DEBUGGER], []),
        ([], ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed\n']),
        (
            [DEBUGGER, {**DEBUGGER, "name": "e", "ports": [{"containerPort": 1}]}],
            ["spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container"],
        ),
        (
            [DEBUGGER, {**DEBUGGER, "name": "e", "targetContainerName": "z"}],
            ['spec.ephemeralContainers[1].targetContainerName: Not found: "z"'],
        ),
    ],
)
def test_ephemeral_containers_only_come(containers: list[Any], expected: list[str]) -> None:
    new, old = made_pod(pod(ephemeralContainers=containers)), made_pod(pod(ephemeralContainers=[DEBUGGER]))
    assert lines(validate_ephemeral_containers_update(new, old)) == expected


def resources(**amounts: str) -> dict[str, Any]:
    return {"resources": {"limits": {"cpu": "1"}, "requests": amounts}}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (resources(cpu="200m"), []),
        (
            resources(cpu="100m", **{"ephemeral-storage": "1Gi"}),
            ["spec: Forbidden: only cpu and memory resources are mutable"],
        ),
        (
            {"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "3"}}},
            ['spec.containers[0].resources.requests: Invalid value: "3": must be less than or equal to cpu limit of 2'],
        ),
        (
            {"resources": {"requests": {"cpu": "100m"}}},
            ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"],
        ),
    ],
)
def test_resources_are_resized_within_bounds(new: dict[str, Any], expected: list[str]) -> None:
    old = made_pod(pod(resources(cpu="100m")))
    assert lines(validate_pod_resize(made_pod(pod(new)), old)) == expected


def test_a_resize_keeps_the_quality_of_service() -> None:
    old = made_pod(pod({"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}))
    new = made_pod(pod({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}))
    assert lines(validate_pod_resize(new, old)) == [
        'spec: Invalid value: "": Pod QOS Class may not change as a result of resizing'
    ]


ENDED = {
    "name": "app",
    "image": "",
    "imageID": "",
    "ready": False,
    "restartCount": 0,
    "state": {"terminated": {"exitCode": 0}},
}
RUNNING = {**ENDED, "state": {"running": {}}}


def rule(action: str, code: int) -> dict[str, Any]:
    return {"action": action, "exitCodes": {"operator": "In", "values": [code]}}


@pytest.mark.parametrize(
    ("policy", "old", "new", "expected"),
    [
        ("Always", {"containerStatuses": [ENDED]}, {"containerStatuses": [RUNNING]}, []),
        (
            "Never",
            {"containerStatuses": [ENDED]},
            {"containerStatuses": [RUNNING]},
            ["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"],
        ),
        (
            "Never",
            {"qosClass": "Burstable"},
            {"qosClass": "Guaranteed"},
            ['status.qosClass: Invalid value: "Guaranteed": field is immutable'],
        ),
        (
            "Always",
            {},
            {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
            [
                'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: '
                "may specify no more than one IP for each IP family"
            ],
        ),
        (
            "Always",
            {},
            {"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]},
            ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'],
        ),
        (
            "Always",
            {},
            {"podIPs": [{"ip": "10.0.0.01"}]},
            ['status.podIPs[0]: Invalid value: "10.0.0.01": must not have leading 0s'],
        ),
        ("Always", {"podIPs": [{"ip": "10.0.0.01"}]}, {"podIPs": [{"ip": "10.0.0.01"}]}, []),
        (
            "Always",
            {},
            {"observedGeneration": -1, "conditions": [{"type": "Ready", "status": "True", "observedGeneration": -2}]},
            [
                "status.conditions[0].observedGeneration: Invalid value: -2: must be a non-negative integer",
                "status.observedGeneration: Invalid value: -1: must be a non-negative integer",
            ],
        ),
        (
            "Always",
            {},
            {"resourceClaimStatuses": [{"name": "c"}]},
            [
                'status.resourceClaimStatuses[0].name: Invalid value: "c": '
                "must match the name of an entry in `spec.resourceClaims`"
            ],
        ),
        (
            "Always",
            {},
            {"containerStatuses": [{**RUNNING, "user": {"linux": {"uid": -1, "gid": 0}}}]},
            [
                "status.containerStatuses[0].user.linux.uid: Invalid value: -1: "
                "must be between 0 and 2147483647, inclusive"
            ],
        ),
    ],
)
def test_a_status_tells_a_possible_story(
    policy: str, old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    before = made_pod({**pod(restartPolicy=policy), "status": old})
    after = made_pod({**pod(restartPolicy=policy), "status": new})
    assert lines(validate_pod_status_update(after, before)) == expected


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"restartPolicy": "Never"}, ["containerStatuses[0]"]),
        ({"restartPolicy": "OnFailure"}, ["containerStatuses[0]"]),
        ({"restartPolicy": "Always"}, []),
        ({"restartPolicy": "Never", "restartPolicyRules": [rule("Restart", 0)]}, []),
        ({"restartPolicy": "Never", "restartPolicyRules": [rule("Restart", 7)]}, ["containerStatuses[0]"]),
        ({"restartPolicy": "Never", "restartPolicyRules": [rule("RestartAllContainers", 7)]}, []),
    ],
)
def test_what_a_container_says_of_its_restarts_comes_first(container: dict[str, Any], expected: list[str]) -> None:
    before = made_pod({**pod(container), "status": {"containerStatuses": [ENDED]}})
    after = made_pod({**pod(container), "status": {"containerStatuses": [RUNNING]}})
    assert lines(validate_pod_status_update(after, before)) == [
        f"status.{name}.state: Forbidden: may not be transitioned to non-terminated state" for name in expected
    ]


def test_only_a_waiting_pod_is_nominated() -> None:
    before = made_pod(pod(nodeName="n"))
    after = made_pod({**pod(nodeName="n"), "status": {"nominatedNodeName": "m"}})
    assert lines(validate_pod_status_update(after, before)) == [
        "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    ]


def test_a_resize_neither_adds_nor_moves_containers() -> None:
    old = made_pod(pod(initContainers=[{**APP, "name": "a"}, {**APP, "name": "b"}]))
    new = made_pod(pod({"name": "other"}, initContainers=[{**APP, "name": "a"}]))
    assert lines(validate_pod_resize(new, old)) == [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
        "spec.initContainers: Forbidden: initContainers may not be added or removed on resize",
    ]


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ({"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}, []),
        (None, ["spec.resources: Forbidden: pod-level resources cannot be removed"]),
        (
            {"requests": {"cpu": "1"}},
            ["spec.resources.limits: Forbidden: pod-level resource limits cannot be removed"],
        ),
        (
            {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "hugepages-2Mi": "2Mi"}},
            ["spec: Forbidden: only cpu and memory resources are mutable at pod-level"],
        ),
    ],
)
def test_a_pod_is_resized_as_a_whole_too(whole: dict[str, Any] | None, expected: list[str]) -> None:
    old = made_pod(
        pod({"resources": {"requests": {"cpu": "100m"}}}, resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}})
    )
    new = made_pod(pod({"resources": {"requests": {"cpu": "100m"}}}, **({"resources": whole} if whole else {})))
    assert lines(validate_pod_resize(new, old)) == expected


def test_init_containers_that_restart_for_a_resize_are_not_resized() -> None:
    policies = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    init = {**APP, "name": "a", "resizePolicy": policies, "resources": {"requests": {"cpu": "1"}}}
    old = made_pod(pod(initContainers=[init]))
    new = made_pod(pod(initContainers=[{**init, "resources": {"requests": {"cpu": "2"}}}]))
    assert lines(validate_pod_resize(new, old)) == [
        'spec.initContainers[0].resizePolicy[0].restartPolicy: Invalid value: "RestartContainer": '
        "must not be set to 'RestartContainer' for non-sidecar initContainers",
        "spec.initContainers[0]: Forbidden: "
        "non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
    ]
