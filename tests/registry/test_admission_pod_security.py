"""PodSecurity: the Pod Security Standards, check by check."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.core_v1 import Pod
from kcore.api.errors import Forbidden, Invalid
from kcore.registry.defaults.pods import default_pod
from kcore.registry.security.policy import Demand, violations
from tests.registry.conftest import Api
from tests.registry.specimens import APP, made, pod, workload

PREFIX = "pod-security.kubernetes.io/"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def found(level: str, document: dict[str, Any]) -> list[str]:
    subject = made(document, Pod, default_pod)
    return [str(v) for v in violations(Demand(level), subject.metadata.annotations, subject.spec)]


def context(**fields: Any) -> dict[str, Any]:
    return pod({"securityContext": fields})


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (pod(), []),
        (pod(hostNetwork=True, hostPID=True), ["host namespaces (hostNetwork=true, hostPID=true)"]),
        (
            context(privileged=True),
            ['privileged (container "app" must not set securityContext.privileged=true)'],
        ),
        (
            context(capabilities={"add": ["SYS_TIME", "NET_ADMIN", "CHOWN"]}),
            [
                'non-default capabilities (container "app" must not include "NET_ADMIN", "SYS_TIME" '
                "in securityContext.capabilities.add)"
            ],
        ),
        (
            pod(volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/b"}}]),
            ['hostPath volumes (volumes "a", "b")'],
        ),
        (
            pod({"ports": [{"containerPort": 1, "hostPort": 2}, {"containerPort": 3, "hostPort": 4}]}),
            ['hostPort (container "app" uses hostPorts 2, 4)'],
        ),
        (
            pod({"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}),
            ['probe or lifecycle host (container "app" uses probe or lifecycle host "10.0.0.1")'],
        ),
        (
            context(procMount="Unmasked"),
            ['procMount (container "app" must not set securityContext.procMount to "Unmasked")'],
        ),
        (
            pod(securityContext={"seLinuxOptions": {"type": "spc_t", "user": "u"}}),
            ['seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)'],
        ),
        (
            pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            ['seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")'],
        ),
        (
            context(appArmorProfile={"type": "Unconfined"}),
            ['forbidden AppArmor profile (container "app" must not set AppArmor profile type to "Unconfined")'],
        ),
        (
            pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            ["forbidden sysctls (kernel.msgmax)"],
        ),
        (
            pod(securityContext={"windowsOptions": {"hostProcess": True}}),
            ["hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"],
        ),
    ],
)
def test_what_baseline_forbids(document: dict[str, Any], expected: list[str]) -> None:
    assert found("baseline", document) == expected
    assert found("privileged", document) == []


def restricted(**fields: Any) -> dict[str, Any]:
    return context(**{**RESTRICTED, **fields})


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (restricted(), []),
        (
            restricted(allowPrivilegeEscalation=None),
            [
                'allowPrivilegeEscalation != false (container "app" must set '
                "securityContext.allowPrivilegeEscalation=false)"
            ],
        ),
        (
            restricted(capabilities={"drop": ["CHOWN"], "add": ["NET_BIND_SERVICE", "KILL"]}),
            [
                'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]; '
                'container "app" must not include "KILL" in securityContext.capabilities.add)'
            ],
        ),
        (
            restricted(runAsNonRoot=False),
            ['runAsNonRoot != true (container "app" must not set securityContext.runAsNonRoot=false)'],
        ),
        (restricted(runAsUser=0), ['runAsUser=0 (container "app" must not set runAsUser=0)']),
        (
            restricted(seccompProfile=None),
            [
                'seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to '
                '"RuntimeDefault" or "Localhost")'
            ],
        ),
        (
            {
                **restricted(),
                "spec": {
                    **restricted()["spec"],
                    "volumes": [{"name": "n", "nfs": {"server": "s", "path": "/"}}, {"name": "e", "emptyDir": {}}],
                },
            },
            ['restricted volume types (volume "n" uses restricted volume type "nfs")'],
        ),
    ],
)
def test_what_restricted_forbids(document: dict[str, Any], expected: list[str]) -> None:
    assert found("restricted", document) == expected


async def demand(api: Api, **labels: str) -> list[str]:
    """Label the namespace; answers the warnings."""
    req = api.request("patch", "namespaces", "ns")
    given = {PREFIX + mode.replace("_", "-"): level for mode, level in labels.items()}
    current = api.get("namespaces", "ns")
    current["metadata"]["labels"] = {**current["metadata"].get("labels", {}), **given}
    await api.update("namespaces", current, req)
    return req.warnings


async def test_what_is_enforced_is_refused(api: Api) -> None:
    await demand(api, enforce="baseline")
    with pytest.raises(Forbidden) as refusal:
        await api.create("pods", pod(hostNetwork=True))
    assert refusal.value.message == (
        'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    )


async def test_what_is_only_warned_of_is_let_in(api: Api) -> None:
    await demand(api, warn="baseline")
    req = api.request("create", "pods")
    await api.create("pods", pod(hostIPC=True), req)
    assert req.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)']


async def test_workloads_are_warned_of_but_never_refused(api: Api) -> None:
    await demand(api, enforce="baseline")
    req = api.request("create", "deployments")
    await api.create("deployments", workload({"hostPID": True}), req)
    assert req.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']


async def test_a_stricter_namespace_is_told_which_pods_fall_short(api: Api) -> None:
    for name in "abc":
        await api.create("pods", {**pod(hostPID=True), "metadata": {"name": name}})
    await api.create("pods", {**pod(), "metadata": {"name": "good"}})
    assert await demand(api, enforce="baseline") == [
        'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 2 other pods): host namespaces",
    ]
    assert await demand(api, enforce="privileged") == []


@pytest.mark.parametrize(
    ("mode", "value", "why"),
    [
        ("enforce", "bogus", 'Invalid value: "bogus": must be one of privileged, baseline, restricted'),
        ("warn_version", "v9", 'Invalid value: "v9": must be "latest" or "v1.x"'),
    ],
)
async def test_labels_that_make_no_sense_are_refused(api: Api, mode: str, value: str, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await demand(api, **{mode: value})
    label = PREFIX + mode.replace("_", "-")
    assert refusal.value.message == f'Namespace "ns" is invalid: metadata.labels[{label}]: {why}'


async def test_standing_pods_may_be_labelled_whatever_the_level(api: Api) -> None:
    await api.create("pods", pod(hostPID=True))
    await demand(api, enforce="restricted")
    assert await api.patch("pods", "p", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Forbidden):
        await api.patch("pods", "p", {"spec": {"containers": [{**APP, "image": "registry.example/app:2.0"}]}})


async def test_audit_is_told_what_was_enforced_and_what_would_have_been(api: Api) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "privileged", "pod-security.kubernetes.io/audit": "baseline"}
    await api.patch("namespaces", "ns", {"metadata": {"labels": labels}})
    request = api.request("create", "pods", annotations={})
    await api.create("pods", pod(hostNetwork=True), request)
    assert request.annotations is not None
    assert request.annotations["pod-security.kubernetes.io/enforce-policy"] == "privileged:latest"
    told = request.annotations["pod-security.kubernetes.io/audit-violations"]
    assert told.startswith('would violate PodSecurity "baseline:latest": host namespaces')
