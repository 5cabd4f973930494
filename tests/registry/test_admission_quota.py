"""ResourceQuota: what a namespace may hold in all, charged with the object or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from kcore.api.errors import AlreadyExists, Forbidden
from tests.registry.conftest import Api
from tests.registry.specimens import pod


async def quota(api: Api, hard: Mapping[str, str], name: str = "q", **spec: Any) -> None:
    """A quota whose controller has been by and found nothing used."""
    await api.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    await api.patch("resourcequotas", name, {"status": status}, subresource="status")


def used(api: Api, name: str = "q") -> Any:
    return api.get("resourcequotas", name)["status"]["used"]


def asking(cpu: str = "", memory: str = "") -> dict[str, Any]:
    amounts = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return {"resources": {"requests": amounts, "limits": amounts}}


def named(name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "metadata": {**document.get("metadata", {}), "name": name}}


async def refusal_of(api: Api, resource: str, document: dict[str, Any]) -> str:
    with pytest.raises(Forbidden) as refusal:
        await api.create(resource, document)
    return refusal.value.message.partition(" is forbidden: ")[2]


async def test_usage_and_object_are_one_revision(api: Api) -> None:
    await quota(api, {"pods": "2", "requests.cpu": "1"})
    made = await api.create("pods", pod(asking("250m")))
    standing = api.get("resourcequotas", "q")
    assert standing["status"]["used"] == {"pods": "1", "requests.cpu": "250m"}
    assert standing["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_of_200_creates_at_once_a_quota_of_50_admits_exactly_50(api: Api) -> None:
    await quota(api, {"count/configmaps": "50"})
    refusals: list[str] = []

    async def create(number: int) -> None:
        try:
            await api.create("configmaps", {"metadata": {"name": f"c{number}"}})
        except Forbidden as refusal:
            refusals.append(refusal.message)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(create, number)
    assert len(api.names("configmaps")) == 50
    assert len(refusals) == 150
    assert used(api) == {"count/configmaps": "50"}


async def test_what_can_not_be_stored_is_not_charged(api: Api) -> None:
    await quota(api, {"pods": "5"})
    await api.create("pods", pod())
    with pytest.raises(AlreadyExists):
        await api.create("pods", pod())
    assert used(api) == {"pods": "1"}


async def test_a_rehearsal_is_judged_but_not_charged(api: Api) -> None:
    await quota(api, {"pods": "1"})
    await api.create("pods", pod(), api.request("create", "pods", dry_run=True))
    assert used(api) == {"pods": "0"}
    await api.create("pods", pod())
    with pytest.raises(Forbidden):
        await api.create("pods", named("b", pod()), api.request("create", "pods", dry_run=True))


async def test_quotas_without_a_status_judge_nothing(api: Api) -> None:
    await api.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}})
    assert await api.create("pods", pod())


async def test_every_quota_must_agree(api: Api) -> None:
    await quota(api, {"pods": "5"}, "a")
    await quota(api, {"pods": "0"}, "b")
    assert await refusal_of(api, "pods", pod()) == "exceeded quota: b, requested: pods=1, used: pods=0, limited: pods=0"
    assert used(api, "a") == {"pods": "0"}


async def test_refusals_list_all_that_is_exceeded(api: Api) -> None:
    await quota(api, {"requests.cpu": "1", "limits.memory": "1Gi", "pods": "9"})
    await api.create("pods", pod(asking("500m", "256Mi")))
    assert await refusal_of(api, "pods", named("b", pod(asking("800m", "2Gi")))) == (
        "exceeded quota: q, requested: limits.memory=2Gi,requests.cpu=800m, "
        "used: limits.memory=256Mi,requests.cpu=500m, limited: limits.memory=1Gi,requests.cpu=1"
    )


async def test_limited_compute_must_be_specified_by_each_container(api: Api) -> None:
    await quota(api, {"requests.cpu": "1", "limits.memory": "1Gi", "requests.ephemeral-storage": "1Gi"})
    assert await refusal_of(api, "pods", pod()) == (
        "failed quota: q: must specify limits.memory for: app; requests.cpu for: app"
    )


SERVICE: dict[str, Any] = {
    "metadata": {"name": "s"},
    "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]},
}
CLAIM: dict[str, Any] = {
    "metadata": {"name": "c"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "2Gi"}},
    },
}
FAST = "fast.storageclass.storage.k8s.io/"


def service(type_: str, **spec: Any) -> dict[str, Any]:
    return {**SERVICE, "spec": {**SERVICE["spec"], "type": type_, **spec}}


@pytest.mark.parametrize(
    ("resource", "document", "usage"),
    [
        ("pods", pod(), {"count/pods": "1", "pods": "1"}),
        (
            "pods",
            pod(asking("1", "1Gi")),
            {"cpu": "1", "requests.cpu": "1", "limits.cpu": "1", "memory": "1Gi", "limits.memory": "1Gi"},
        ),
        ("pods", pod({"resources": {"limits": {"example.com/gpu": "2"}}}), {"requests.example.com/gpu": "2"}),
        (
            "pods",
            pod(asking("1"), initContainers=[{"name": "i", "image": "i:1", **asking("3")}]),
            {"requests.cpu": "3"},
        ),
        ("services", service("ClusterIP"), {"services": "1", "services.nodeports": "0", "count/services": "1"}),
        ("services", service("NodePort"), {"services.nodeports": "2", "services.loadbalancers": "0"}),
        ("services", service("LoadBalancer"), {"services.nodeports": "2", "services.loadbalancers": "1"}),
        (
            "services",
            service("LoadBalancer", allocateLoadBalancerNodePorts=False),
            {"services.nodeports": "0", "services.loadbalancers": "1"},
        ),
        ("persistentvolumeclaims", CLAIM, {"persistentvolumeclaims": "1", "requests.storage": "2Gi"}),
        ("persistentvolumeclaims", CLAIM, {f"{FAST}persistentvolumeclaims": "1", f"{FAST}requests.storage": "2Gi"}),
        ("secrets", {"metadata": {"name": "s"}}, {"secrets": "1", "count/secrets": "1"}),
        ("configmaps", {"metadata": {"name": "s"}}, {"configmaps": "1", "secrets": "0"}),
        ("leases", {"metadata": {"name": "l"}}, {"count/leases.coordination.k8s.io": "1"}),
    ],
)
async def test_what_an_object_uses(api: Api, resource: str, document: dict[str, Any], usage: dict[str, str]) -> None:
    await quota(api, dict.fromkeys(usage, "100Gi" if any("storage" in n or "memory" in n for n in usage) else "100"))
    await api.create(resource, document)
    assert used(api) == usage


async def test_an_update_is_charged_the_difference(api: Api) -> None:
    await quota(api, {"services.nodeports": "3"})
    await api.create("services", service("ClusterIP"))
    await api.patch("services", "s", {"spec": {"type": "NodePort"}})
    assert used(api) == {"services.nodeports": "2"}
    await api.create("services", named("t", service("ClusterIP")))
    with pytest.raises(Forbidden, match=r"requested: services.nodeports=2, used: services.nodeports=2"):
        await api.patch("services", "t", {"spec": {"type": "NodePort"}})
    await api.patch("services", "s", {"spec": {"type": "ClusterIP"}})
    assert used(api) == {"services.nodeports": "0"}


IN_CRITICAL = {
    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]
}
AFFINITY = {"topologyKey": "z", "labelSelector": {}, "namespaces": ["other"]}


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ({"scopes": ["BestEffort"]}, pod(), pod(asking("1"))),
        ({"scopes": ["NotBestEffort"]}, pod(asking("1")), pod()),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=5), pod()),
        ({"scopes": ["NotTerminating"]}, pod(), pod(activeDeadlineSeconds=5)),
        ({"scopeSelector": IN_CRITICAL}, pod(priorityClassName="system-node-critical"), pod()),
        (
            {"scopes": ["CrossNamespacePodAffinity"]},
            pod(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [AFFINITY]}}),
            pod(),
        ),
        ({"scopes": ["BestEffort", "Terminating"]}, pod(activeDeadlineSeconds=5), pod()),
    ],
)
async def test_a_scope_says_which_pods_count(
    api: Api, scope: dict[str, Any], inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    await quota(api, {"pods": "0"}, **scope)
    await api.create("pods", named("outside", outside))
    assert "exceeded quota: q" in await refusal_of(api, "pods", inside)


async def test_both_views_of_an_autoscaler_are_charged(api: Api) -> None:
    await quota(api, {"count/horizontalpodautoscalers.autoscaling": "1"})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"maxReplicas": 2, "scaleTargetRef": target}
    v1 = next(k for k in api.registry.scheme if k.plural == "horizontalpodautoscalers" and k.version == "v1")
    req = api.request("create", "horizontalpodautoscalers")
    req.kind = v1
    body = api.decode("horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": spec}, v1.type)
    await api.registry.create(req, body)
    assert used(api) == {"count/horizontalpodautoscalers.autoscaling": "1"}
