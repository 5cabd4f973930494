from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kcore.api.autoscaling_v1 import Scale
from kcore.api.core_v1 import Binding
from kcore.api.errors import ApiError, BadRequest, Conflict, Invalid, NotFound, TooManyRequests
from kcore.api.policy_v1 import Eviction
from kcore.registry.request import Request
from tests.registry.conftest import Api, tree


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:1.0"}], **spec},
    }


def replica_set(name: str = "rs", replicas: int = 2) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:1.0"}]},
    }
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "z", "operator": "NotIn", "values": ["q"]}]}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": selector, "template": template}}


async def bind(api: Api, name: str = "p", node: str = "node-1", kind: str = "Node", **request: Any) -> Any:
    body = {"metadata": {"name": name, "annotations": {"from": "binder"}}, "target": {"kind": kind, "name": node}}
    req = api.request("create", "pods", name, subresource="binding", **request)
    return tree(await api.registry.create(req, msgspec.convert(body, Binding)))


async def evict(api: Api, name: str = "p", body: str = "", **request: Any) -> Any:
    req = api.request("create", "pods", name, subresource="eviction", **request)
    return tree(await api.registry.create(req, msgspec.convert({"metadata": {"name": body or name}}, Eviction)))


def scale_request(api: Api, verb: str, name: str = "rs") -> Request:
    return api.request(verb, "replicasets.apps", name, subresource="scale")


async def scale(api: Api, replicas: int, name: str = "rs", **metadata: Any) -> Any:
    body = {"metadata": {"name": name, **metadata}, "spec": {"replicas": replicas}}
    return tree(await api.registry.update(scale_request(api, "update"), msgspec.convert(body, Scale)))


async def test_scale_reads_the_parent(api: Api) -> None:
    made = await api.create("replicasets.apps", replica_set())
    shown = tree(api.registry.get(scale_request(api, "get")))
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    assert shown == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: made["metadata"][name] for name in kept},
        "spec": {"replicas": 2},
        "status": {"replicas": 0, "selector": "a=b,z notin (q)"},
    }


async def test_scale_changes_the_parent(api: Api) -> None:
    await api.create("replicasets.apps", replica_set())
    answer = await scale(api, 5)
    assert answer["spec"] == {"replicas": 5}
    assert api.get("replicasets.apps", "rs")["spec"]["replicas"] == 5


async def test_scale_checks_what_it_is_told(api: Api) -> None:
    await api.create("replicasets.apps", replica_set())
    with pytest.raises(Invalid) as refusal:
        await scale(api, -1)
    assert refusal.value.message == (
        'Scale.autoscaling "rs" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )
    with pytest.raises(BadRequest, match=r"the name of the object \(e\) does not match the name on the URL \(rs\)"):
        await scale(api, 1, "e")
    with pytest.raises(Conflict):
        await scale(api, 1, resourceVersion="1")
    with pytest.raises(NotFound):
        api.registry.get(scale_request(api, "get", "none"))


async def test_binding_puts_a_pod_on_its_node(api: Api) -> None:
    await api.create("pods", pod())
    assert await bind(api) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
    bound = api.get("pods", "p")
    assert bound["spec"]["nodeName"] == "node-1"
    assert bound["metadata"]["annotations"] == {"from": "binder"}
    assert bound["status"]["conditions"] == [
        {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": "2023-11-14T22:13:20Z"}
    ]


async def test_binding_can_be_done_once(api: Api) -> None:
    await api.create("pods", pod())
    await bind(api)
    with pytest.raises(Conflict) as refusal:
        await bind(api, node="other")
    assert refusal.value.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "node-1"'
    )


async def test_gated_pods_are_not_bound(api: Api) -> None:
    await api.create("pods", pod(schedulingGates=[{"name": "a.example/g"}]))
    with pytest.raises(Conflict, match=r"pod p has non-empty \.spec\.schedulingGates"):
        await bind(api)


async def test_dry_binding_binds_nothing(api: Api) -> None:
    await api.create("pods", pod())
    await bind(api, dry_run=True)
    assert "nodeName" not in api.get("pods", "p")["spec"]


@pytest.mark.parametrize(
    ("node", "kind", "message"),
    [
        ("", "Node", "target.name: Required value"),
        ("x", "Pod", 'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"'),
    ],
)
async def test_binding_needs_a_node(api: Api, node: str, kind: str, message: str) -> None:
    await api.create("pods", pod())
    with pytest.raises(BadRequest) as refusal:
        await bind(api, node=node, kind=kind)
    assert refusal.value.message == message


async def test_eviction_deletes_what_no_budget_covers(api: Api) -> None:
    await api.create("pods", pod())
    await evict(api)
    assert not api.exists("pods", "p")


async def test_eviction_must_name_its_pod(api: Api) -> None:
    await api.create("pods", pod())
    with pytest.raises(BadRequest, match="name in URL does not match name in Eviction object"):
        await evict(api, body="other")
    with pytest.raises(NotFound):
        await evict(api, "none")


async def budget(api: Api, name: str = "b", **status: int) -> None:
    """A budget over the pods of this test, as the disruption controller would have left it."""
    await api.create(
        "poddisruptionbudgets", {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "web"}}}}
    )
    metadata = api.get("poddisruptionbudgets", name)["metadata"]
    status = {"observedGeneration": metadata.get("generation", 0), "expectedPods": 1, **status}
    request = api.request("update", "poddisruptionbudgets", name, subresource="status")
    await api.update("poddisruptionbudgets", {"metadata": metadata, "status": status}, request)


async def run(api: Api) -> None:
    """The pod, running and ready."""
    await api.create("pods", pod(nodeName="node-1"))
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    request = api.request("update", "pods", "p", subresource="status")
    await api.update("pods", {**pod(nodeName="node-1"), "status": status}, request)


async def test_budget_stands_against_eviction(api: Api) -> None:
    await run(api)
    await budget(api, disruptionsAllowed=0, desiredHealthy=1, currentHealthy=1)
    for dry_run in (False, True):
        with pytest.raises(TooManyRequests) as refusal:
            await evict(api, dry_run=dry_run)
        assert refusal.value.message == "Cannot evict pod as it would violate the pod's disruption budget."
        assert refusal.value.details is not None
        assert refusal.value.details.causes[0].message == (
            "The disruption budget b needs 1 healthy pods and has 1 currently"
        )
    assert "deletionTimestamp" not in api.get("pods", "p")["metadata"]


async def test_eviction_takes_from_the_budget(api: Api) -> None:
    await run(api)
    await budget(api, disruptionsAllowed=1, desiredHealthy=0, currentHealthy=1)
    await evict(api)
    status = api.get("poddisruptionbudgets", "b")["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["p"]


async def test_dry_eviction_takes_nothing(api: Api) -> None:
    await run(api)
    await budget(api, disruptionsAllowed=1, desiredHealthy=0, currentHealthy=1)
    await evict(api, dry_run=True)
    assert api.get("poddisruptionbudgets", "b")["status"]["disruptionsAllowed"] == 1
    assert "deletionTimestamp" not in api.get("pods", "p")["metadata"]


async def test_two_budgets_over_one_pod_are_an_error(api: Api) -> None:
    await run(api)
    await budget(api, "b1")
    await budget(api, "b2")
    with pytest.raises(ApiError, match="more than one PodDisruptionBudget"):
        await evict(api)


async def test_status_update_touches_nothing_else(api: Api) -> None:
    made = await api.create("replicasets.apps", replica_set())
    changed = replica_set(replicas=9) | {"status": {"replicas": 3}}
    request = api.request("update", "replicasets.apps", "rs", subresource="status")
    answer = await api.update("replicasets.apps", changed, request)
    assert answer["status"]["replicas"] == 3
    assert answer["spec"] == made["spec"]


async def test_main_update_leaves_the_status(api: Api) -> None:
    await api.create("replicasets.apps", replica_set())
    changed = replica_set(replicas=9) | {"status": {"replicas": 3}}
    answer = await api.update("replicasets.apps", changed)
    assert answer["status"]["replicas"] == 0
    assert answer["spec"]["replicas"] == 9
