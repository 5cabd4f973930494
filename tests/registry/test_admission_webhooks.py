from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kcore.api.connect_options import PodExecOptions
from kcore.api.errors import ApiError, BadRequest, InternalError
from tests.registry.conftest import HandClock
from tests.registry.webhooks import EVERYTHING, HookedApi, allow, deny, hooked_api, patch

CM = {"metadata": {"name": "cm"}, "data": {"a": "1"}}


@pytest.fixture
async def api(clock: HandClock) -> HookedApi:
    return await hooked_api(clock)


def labelled(key: str, value: str = "yes") -> Any:
    return {"op": "add", "path": f"/metadata/labels/{key}", "value": value}


LABELS = {"op": "add", "path": "/metadata/labels", "value": {"mutated": "yes"}}


# --- what a webhook is asked ---


async def test_webhook_is_told_who_does_what_to_which_object(api: HookedApi) -> None:
    await api.hook("see", allow)
    request = api.request("create", "configmaps")
    await api.create("configmaps", CM, request)
    asked = api.board.calls[0][1]
    assert asked.pop("uid")
    assert asked == {
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "cm",
        "namespace": "ns",
        "operation": "CREATE",
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "object": {"kind": "ConfigMap", "apiVersion": "v1", **asked["object"]},
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    assert asked["object"]["data"] == {"a": "1"}


async def test_update_and_delete_show_the_object_that_stands(api: HookedApi) -> None:
    await api.hook("see", allow, rules=[EVERYTHING])
    await api.create("configmaps", CM)
    await api.update("configmaps", {**CM, "data": {"a": "2"}})
    await api.delete("configmaps", "cm", propagation_policy="Foreground")
    update, delete = (request for _, request in api.board.calls[1:])
    assert (update["operation"], update["object"]["data"], update["oldObject"]["data"]) == (
        "UPDATE",
        {"a": "2"},
        {"a": "1"},
    )
    assert (delete["operation"], delete["object"], delete["oldObject"]["data"]) == ("DELETE", None, {"a": "2"})
    assert delete["options"] == {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "propagationPolicy": "Foreground",
    }


async def test_scale_is_shown_as_a_scale_and_its_parent_is_not(api: HookedApi) -> None:
    await api.hook("scale", allow, rules=[{**EVERYTHING, "resources": ["deployments/scale"]}])
    await api.hook("parent", deny(), rules=[{**EVERYTHING, "operations": ["UPDATE"], "resources": ["deployments"]}])
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.create("deployments", {"metadata": {"name": "web"}, "spec": spec})
    await api.patch("deployments", "web", {"spec": {"replicas": 3}}, subresource="scale")
    [(_, asked)] = api.board.calls
    assert (asked["kind"]["kind"], asked["kind"]["group"], asked["subResource"]) == ("Scale", "autoscaling", "scale")
    assert (asked["object"]["spec"], asked["oldObject"]["spec"]) == ({"replicas": 3}, {"replicas": 1})
    assert (asked["object"]["kind"], asked["resource"]["resource"]) == ("Scale", "deployments")


async def test_webhook_may_change_what_is_scaled_to(api: HookedApi) -> None:
    operation = {"op": "replace", "path": "/spec/replicas", "value": 2}
    await api.hook(
        "cap", patch(operation), mutating=True, rules=[{**EVERYTHING, "resources": ["replicationcontrollers/scale"]}]
    )
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"a": "b"}, "template": template}
    await api.create("replicationcontrollers", {"metadata": {"name": "web"}, "spec": spec})
    await api.patch("replicationcontrollers", "web", {"spec": {"replicas": 9}}, subresource="scale")
    assert api.get("replicationcontrollers", "web")["spec"]["replicas"] == 2


# --- which requests it is about ---

RULE_CASES = [
    ({}, True),
    ({"operations": ["UPDATE", "DELETE"]}, False),
    ({"apiGroups": ["apps"]}, False),
    ({"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}, True),
    ({"resources": ["*/*"]}, True),
    ({"resources": ["configmaps/status"]}, False),
    ({"resources": ["*/status"]}, False),
    ({"scope": "Namespaced"}, True),
    ({"scope": "Cluster"}, False),
]


@pytest.mark.parametrize(("rule", "called"), RULE_CASES)
async def test_rules_say_which_requests_are_shown(api: HookedApi, rule: dict[str, Any], called: bool) -> None:
    base = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    await api.hook("see", allow, rules=[{**base, **rule}])
    await api.create("configmaps", CM)
    assert bool(api.board.calls) == called


@pytest.mark.parametrize(
    ("selectors", "called"),
    [
        ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "red"}}}, False),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, True),
        ({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, False),
    ],
)
async def test_selectors_narrow_by_namespace_and_object(
    api: HookedApi, selectors: dict[str, Any], called: bool
) -> None:
    await api.hook("see", allow, **selectors)
    await api.create("configmaps", {"metadata": {"name": "cm", "labels": {"app": "web"}}})
    assert bool(api.board.calls) == called


async def test_namespace_is_selected_by_its_own_new_labels(api: HookedApi) -> None:
    rule = {**EVERYTHING, "resources": ["namespaces"]}
    await api.hook("see", allow, rules=[rule], namespaceSelector={"matchLabels": {"team": "red"}})
    await api.create("namespaces", {"metadata": {"name": "blue", "labels": {"team": "blue"}}})
    assert api.board.calls == []
    await api.create("namespaces", {"metadata": {"name": "red", "labels": {"team": "red"}}})
    [(_, asked)] = api.board.calls
    assert asked["namespace"] == asked["name"] == "red"


async def test_rules_of_another_version_get_the_object_in_that_version(api: HookedApi) -> None:
    rule = {"apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}
    await api.hook("equivalent", allow, rules=[rule])
    await api.hook("exact", allow, rules=[rule], matchPolicy="Exact")
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    target = {"type": "Utilization", "averageUtilization": 50}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    spec = {"maxReplicas": 3, "scaleTargetRef": reference, "metrics": [metric]}
    kind = api.registry.scheme.find("autoscaling", "v2", "horizontalpodautoscalers")
    assert kind is not None
    request = api.request("create", "horizontalpodautoscalers")
    request.kind = kind
    await api.registry.create(request, api.decode("", {"metadata": {"name": "web"}, "spec": spec}, kind.type))
    assert api.board.called == ["equivalent"]
    asked = api.board.calls[0][1]
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")
    assert asked["object"]["apiVersion"] == "autoscaling/v1"
    assert asked["object"]["spec"]["targetCPUUtilizationPercentage"] == 50


async def test_webhook_configurations_are_shown_to_nobody(api: HookedApi) -> None:
    await api.hook("first", deny(), rules=[EVERYTHING])
    await api.hook("second", deny(), rules=[EVERYTHING])
    await api.delete("validatingwebhookconfigurations", "first")
    assert api.board.calls == []


async def test_configuration_counts_from_its_creation_to_its_deletion(api: HookedApi) -> None:
    await api.create("configmaps", {"metadata": {"name": "before"}})
    await api.hook("no", deny())
    with pytest.raises(ApiError):
        await api.create("configmaps", CM)
    await api.delete("validatingwebhookconfigurations", "no")
    await api.create("configmaps", CM)


# --- refusals and failures ---


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({}, 400, 'admission webhook "no.example.com" denied the request without explanation'),
        (
            {"message": "not today", "code": 403, "reason": "Forbidden"},
            403,
            'admission webhook "no.example.com" denied the request: not today',
        ),
        ({"reason": "Conflict"}, 400, 'admission webhook "no.example.com" denied the request: Conflict'),
    ],
)
async def test_denial_is_told_with_the_webhooks_own_status(
    api: HookedApi, status: dict[str, Any], code: int, message: str
) -> None:
    await api.hook("no", deny(**status))
    with pytest.raises(ApiError) as refused:
        await api.create("configmaps", CM)
    told = refused.value.status
    assert (told.code, told.message, told.status) == (code, message, "Failure")
    assert not api.exists("configmaps", "cm")


async def test_failed_call_refuses_the_request(api: HookedApi) -> None:
    await api.hook("broken", "connect: connection refused")
    with pytest.raises(InternalError) as refused:
        await api.create("configmaps", CM)
    assert refused.value.message == (
        'Internal error occurred: failed calling webhook "broken.example.com": failed to call webhook: '
        'Post "https://broken.example/?timeout=10s": connect: connection refused'
    )


@pytest.mark.parametrize("mutating", [False, True])
async def test_failed_call_is_ignored_where_the_policy_says_so(api: HookedApi, mutating: bool) -> None:
    await api.hook("broken", "connection refused", failurePolicy="Ignore", mutating=mutating)
    request = api.request("create", "configmaps")
    await api.create("configmaps", CM, request)
    assert any(key.startswith("failed-open.") for key in request.annotations or {})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"uid": "other", "allowed": True}, "expected response.uid="),
        ({"allowed": True, "patch": "W10="}, "validating webhook may not return response.patch"),
        ({"allowed": True, "patchType": "JSONPatch"}, "validating webhook may not return response.patchType"),
    ],
)
async def test_answer_that_breaks_the_rules_is_a_failure(api: HookedApi, answer: dict[str, Any], why: str) -> None:
    await api.hook("odd", lambda request: answer)
    with pytest.raises(InternalError, match=f'webhook "odd.example.com": received invalid webhook response: {why}'):
        await api.create("configmaps", CM)


async def test_warnings_and_annotations_are_passed_on(api: HookedApi) -> None:
    await api.hook("warn", lambda request: {"allowed": True, "warnings": ["old"], "auditAnnotations": {"k": "v"}})
    request = api.request("create", "configmaps")
    await api.create("configmaps", CM, request)
    assert request.warnings == ["old"]
    assert request.annotations == {"warn.example.com/k": "v"}


@pytest.mark.parametrize("side_effects", ["None", "NoneOnDryRun"])
async def test_dry_run_is_shown_to_webhooks_without_side_effects(api: HookedApi, side_effects: str) -> None:
    await api.hook("see", allow, sideEffects=side_effects)
    await api.create("configmaps", CM, api.request("create", "configmaps", dry_run=True))
    asked = api.board.calls[0][1]
    assert asked["dryRun"] is True
    assert asked["options"]["dryRun"] == ["All"]


async def test_dry_run_is_refused_for_webhooks_with_side_effects(api: HookedApi) -> None:
    """Configurations of before v1 may have said so; the field can no longer be set that way."""
    await api.hook("acts", allow, failurePolicy="Ignore")
    record = api.store.get("validatingwebhookconfigurations.admissionregistration.k8s.io/acts")
    assert record is not None
    await _with_side_effects(api, record.obj)
    with pytest.raises(BadRequest, match=r'admission webhook "acts\.example\.com" does not support dry run'):
        await api.create("configmaps", CM, api.request("create", "configmaps", dry_run=True))
    assert api.board.calls == []


async def _with_side_effects(api: HookedApi, configuration: Any) -> None:
    from msgspec.structs import replace

    from kcore.store.store import Put

    webhook = replace(configuration.webhooks[0], side_effects="Unknown")
    changed = replace(configuration, metadata=replace(configuration.metadata), webhooks=(webhook,))
    await api.store.commit(Put("validatingwebhookconfigurations.admissionregistration.k8s.io/acts", changed))


async def test_validating_webhooks_are_asked_at_once(api: HookedApi) -> None:
    both = anyio.Event()
    waiting: list[str] = []

    async def meet(request: Any) -> Any:
        waiting.append(request["uid"])
        if len(waiting) == 2:
            both.set()
        await both.wait()
        return {"allowed": True}

    await api.hook("a", meet)
    await api.hook("b", meet)
    with anyio.fail_after(10):
        await api.create("configmaps", CM)
    assert sorted(api.board.called) == ["a", "b"]


# --- changes ---


async def test_patch_changes_what_is_stored(api: HookedApi) -> None:
    await api.hook("label", patch(LABELS), mutating=True)
    await api.create("configmaps", CM)
    assert api.get("configmaps", "cm")["metadata"]["labels"] == {"mutated": "yes"}


async def test_mutating_webhooks_run_in_the_order_of_their_names_and_see_each_others_work(api: HookedApi) -> None:
    seen: dict[str, Any] = {}

    def look(request: Any) -> Any:
        seen.update(request["object"]["metadata"].get("labels", {}))
        return {"allowed": True}

    await api.hook("b-look", look, mutating=True)
    await api.hook("a-label", patch(LABELS), mutating=True)
    await api.create("configmaps", CM)
    assert api.board.called == ["a-label", "b-look"]
    assert seen == {"mutated": "yes"}


async def test_validating_webhooks_see_the_final_object(api: HookedApi) -> None:
    await api.hook("label", patch(LABELS), mutating=True)
    await api.hook("check", allow)
    await api.create("configmaps", {"metadata": {"generateName": "cm-"}})
    mutating, validating = (request for _, request in api.board.calls)
    assert "name" not in mutating
    assert validating["name"].startswith("cm-")
    assert validating["object"]["metadata"]["labels"] == {"mutated": "yes"}


async def test_built_in_plugins_complete_what_a_webhook_adds(api: HookedApi) -> None:
    """A LimitRange gives the added container its limits; defaults are filled in too."""
    limit = {"type": "Container", "default": {"cpu": "1"}}
    await api.create("limitranges", {"metadata": {"name": "lr"}, "spec": {"limits": [limit]}})
    sidecar = {"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "envoy:1"}}
    await api.hook("inject", patch(sidecar), mutating=True, rules=[{**EVERYTHING, "resources": ["pods"]}])
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.create("pods", pod)
    added = api.get("pods", "p")["spec"]["containers"][1]
    assert added["resources"]["limits"] == {"cpu": "1"}
    assert added["imagePullPolicy"] == "IfNotPresent"


async def test_webhook_that_asks_for_it_is_called_again_after_a_later_change(api: HookedApi) -> None:
    await api.hook("a-again", allow, mutating=True, reinvocationPolicy="IfNeeded")
    await api.hook("b-never", allow, mutating=True)
    await api.hook("c-label", patch(LABELS), mutating=True, reinvocationPolicy="IfNeeded")
    await api.create("configmaps", CM)
    assert api.board.called == ["a-again", "b-never", "c-label", "a-again"]


async def test_nobody_is_called_again_where_nothing_changed(api: HookedApi) -> None:
    await api.hook("a-again", allow, mutating=True, reinvocationPolicy="IfNeeded")
    await api.hook("b-same", patch({"op": "test", "path": "/data/a", "value": "1"}), mutating=True)
    await api.create("configmaps", CM)
    assert api.board.called == ["a-again", "b-same"]


async def test_deletion_cannot_be_changed(api: HookedApi) -> None:
    await api.hook("label", patch(LABELS), mutating=True, rules=[{**EVERYTHING, "operations": ["DELETE"]}])
    await api.create("configmaps", CM)
    with pytest.raises(
        InternalError, match="attempted to modify the object, which is not supported for this operation"
    ):
        await api.delete("configmaps", "cm")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            {"allowed": True, "patch": "W10="},
            "received invalid webhook response: webhook returned response.patch but not response.patchType",
        ),
        (
            {"allowed": True, "patch": "bm8=", "patchType": "JSONPatch"},
            "received undecodable patch in webhook response: ",
        ),
        ({"allowed": True, "patch": "W3t9XQ==", "patchType": "Merge"}, 'unsupported patch type "Merge"'),
    ],
)
async def test_patch_that_cannot_be_used_is_a_failure(api: HookedApi, answer: dict[str, Any], why: str) -> None:
    await api.hook("odd", lambda request: answer, mutating=True)
    with pytest.raises(InternalError) as refused:
        await api.create("configmaps", CM)
    assert f'failed calling webhook "odd.example.com": {why}' in refused.value.message


async def test_object_that_a_webhook_spoils_is_refused_like_a_clients(api: HookedApi) -> None:
    await api.hook("spoil", patch({"op": "add", "path": "/metadata/labels", "value": {"bad key": "x"}}), mutating=True)
    with pytest.raises(ApiError) as refused:
        await api.create("configmaps", CM)
    assert refused.value.code == 422


async def test_webhook_cannot_move_an_object_to_another_namespace(api: HookedApi) -> None:
    await api.hook("move", patch({"op": "replace", "path": "/metadata/namespace", "value": "other"}), mutating=True)
    with pytest.raises(BadRequest):
        await api.create("configmaps", CM)


async def test_changes_made_while_a_webhook_thinks_are_not_overwritten(api: HookedApi) -> None:
    """The update is made anew from what stands by then, and shown again."""
    await api.create("configmaps", CM)
    other = {"data": {"other": "1"}}

    async def interfere(request: Any) -> Any:
        if len(api.board.calls) == 1:
            await api.patch("configmaps", "cm", other)
        return {"allowed": True}

    await api.hook("slow", interfere)
    await api.patch("configmaps", "cm", {"data": {"mine": "1"}})
    assert api.get("configmaps", "cm")["data"] == {"a": "1", "other": "1", "mine": "1"}


async def test_quota_is_charged_after_the_webhooks_have_spoken(api: HookedApi) -> None:
    """However long they think at once, no more is admitted than the quota allows."""
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/secrets": "2"}}}
    await api.create("resourcequotas", quota)
    await api.patch(
        "resourcequotas",
        "q",
        {"status": {"hard": {"count/secrets": "2"}, "used": {"count/secrets": "0"}}},
        subresource="status",
    )
    await api.hook("slow", _slow, rules=[{**EVERYTHING, "resources": ["secrets"]}])
    admitted = []

    async def create(name: str) -> None:
        try:
            await api.create("secrets", {"metadata": {"name": name}})
            admitted.append(name)
        except ApiError:
            pass

    async with anyio.create_task_group() as tasks:
        for i in range(6):
            tasks.start_soon(create, f"s{i}")
    assert len(admitted) == 2


async def _slow(request: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return {"allowed": True}


async def test_connections_are_shown_with_their_options(api: HookedApi) -> None:
    await api.hook("exec", deny(message="no shells"), rules=[{**EVERYTHING, "resources": ["pods/exec"]}])
    request = api.request("connect", "pods", "p", subresource="exec")
    with pytest.raises(ApiError, match="denied the request: no shells"):
        await api.registry.connect(request, PodExecOptions(command=("sh",), tty=True))
    asked = api.board.calls[0][1]
    assert (asked["operation"], asked["subResource"], asked["name"]) == ("CONNECT", "exec", "p")
    assert asked["object"] == {"kind": "PodExecOptions", "apiVersion": "v1", "command": ["sh"], "tty": True}


# --- what is counted ---


async def test_calls_are_counted_by_what_came_of_them(api: HookedApi) -> None:
    await api.hook("glad", allow, mutating=True)
    await api.hook("open", "connection refused", failurePolicy="Ignore")
    await api.create("configmaps", CM)
    await api.hook("strict", deny(code=403))
    with pytest.raises(ApiError):
        await api.create("configmaps", CM)
    await api.hook("closed", "connection refused", mutating=True)
    with pytest.raises(ApiError):
        await api.create("configmaps", CM)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(api.registry.env.webhook_figures.figures())
    told = generate_latest(registry).decode()
    prefix = "apiserver_admission_webhook_"
    glad = 'name="glad.example.com",operation="CREATE",rejected="false",type="admit"'
    assert f"{prefix}admission_duration_seconds_count{{{glad}}} 2.0" in told
    strict = 'name="strict.example.com",operation="CREATE",rejected="true",type="validating"'
    assert f'{prefix}request_total{{code="403",{strict}}} 1.0' in told
    refused = 'error_type="no_error",name="strict.example.com",operation="CREATE",rejection_code="403"'
    assert f'{prefix}rejection_count{{{refused},type="validating"}} 1.0' in told
    failed = 'error_type="calling_webhook_error",name="closed.example.com",operation="CREATE",rejection_code="400"'
    assert f'{prefix}rejection_count{{{failed},type="admit"}} 1.0' in told
    assert f'{prefix}fail_open_count{{name="open.example.com",type="validating"}} 2.0' in told
