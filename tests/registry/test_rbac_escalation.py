"""Nobody grants what they do not hold."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import ApiError, Forbidden, NotFound
from kcore.api.rbac_v1 import PolicyRule
from kcore.registry.rbac.covering import missing_rules
from kcore.registry.request import PatchType, User
from tests.registry.conftest import Api, HandClock
from tests.registry.test_rbac import DEVS, GROUP, USER_JANE, bind, grant, rbac_api, rule

JANE = User("jane", groups=("system:authenticated",))


@pytest.fixture
async def api(clock: HandClock) -> Api:
    """Jane may write roles and bindings, and get and list services."""
    api, _ = rbac_api(clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    roles = rule("create update patch", (GROUP,), "roles rolebindings clusterroles clusterrolebindings")
    await grant(api, "limited", roles, rule("get list", resources="services"), subject=USER_JANE, cluster=True)
    return api


async def write(api: Api, resource: str, document: dict[str, Any]) -> Any:
    req = api.request("create", resource)
    req.user = JANE
    return await api.create(resource, document, req)


def role(*rules: Any, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "rules": list(rules), **more}


def binding(kind: str, name: str) -> dict[str, Any]:
    ref = {"apiGroup": GROUP, "kind": kind, "name": name}
    return {"metadata": {"name": "x"}, "roleRef": ref, "subjects": [DEVS]}


def granting(*lines: str) -> str:
    what = 'user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:'
    return "\n".join([what, *lines])


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([rule("get", resources="services")], []),
        ([rule("get", resources="services", names="one")], []),
        ([rule("get", resources="secrets")], ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}']),
        (
            [rule("get delete", resources="services secrets")],
            [
                '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}',
                '{APIGroups:[""], Resources:["services"], Verbs:["delete"]}',
            ],
        ),
        ([rule("*", ("*",), "*")], ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}']),
        (
            [rule("get", resources="secrets", names="a b")],
            [
                '{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}',
                '{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}',
            ],
        ),
    ],
)
async def test_role_may_hold_what_its_writer_holds(api: Api, rules: list[Any], missing: list[str]) -> None:
    if not missing:
        await write(api, "roles", role(*rules))
        return
    with pytest.raises(Forbidden) as refused:
        await write(api, "roles", role(*rules))
    assert refused.value.message == f'roles.{GROUP} "x" is forbidden: {granting(*missing)}'
    assert not api.exists("roles", "x")


async def test_update_is_held_to_the_same(api: Api) -> None:
    await write(api, "roles", role(rule("get", resources="services")))
    req = api.request("patch", "roles", "x")
    req.user = JANE
    with pytest.raises(Forbidden):
        await api.registry.patch(
            req, PatchType.MERGE, b'{"rules": [{"verbs":["*"],"apiGroups":[""],"resources":["pods"]}]}'
        )
    await api.registry.patch(req, PatchType.MERGE, b'{"metadata": {"labels": {"a": "b"}}}')


async def test_what_garbage_collection_is_about_may_change_on_any_role(api: Api) -> None:
    await api.create("roles", role(rule("get", resources="secrets")))
    req = api.request("patch", "roles", "x")
    req.user = JANE
    await api.registry.patch(req, PatchType.MERGE, b'{"metadata": {"finalizers": ["example.com/x"]}}')
    with pytest.raises(Forbidden):
        await api.registry.patch(req, PatchType.MERGE, b'{"metadata": {"labels": {"a": "b"}}}')


async def test_aggregation_takes_everything(api: Api) -> None:
    aggregation = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use the aggregationRule"):
        await write(api, "clusterroles", role(aggregationRule=aggregation))


async def test_escalate_lifts_the_limit(api: Api) -> None:
    await grant(api, "e", rule("escalate", (GROUP,), "roles"), subject=USER_JANE)
    await write(api, "roles", role(rule("*", ("*",), "*")))


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
async def test_binding_may_give_what_its_writer_holds(api: Api, kind: str) -> None:
    resource = "roles" if kind == "Role" else "clusterroles"
    await api.create(resource, {"metadata": {"name": "small"}, "rules": [rule("get", resources="services")]})
    await api.create(resource, {"metadata": {"name": "large"}, "rules": [rule("get", resources="secrets")]})
    with pytest.raises(Forbidden) as refused:
        await write(api, "rolebindings", binding(kind, "large"))
    missing = granting('{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}')
    assert refused.value.message == f'rolebindings.{GROUP} "x" is forbidden: {missing}'
    await write(api, "rolebindings", binding(kind, "small"))


async def test_cluster_role_binding_is_held_to_what_one_holds_everywhere(api: Api) -> None:
    await grant(api, "here", rule("get", resources="secrets"), subject=USER_JANE)
    await api.create("clusterroles", {"metadata": {"name": "s"}, "rules": [rule("get", resources="secrets")]})
    await write(api, "rolebindings", binding("ClusterRole", "s"))
    with pytest.raises(Forbidden):
        await write(api, "clusterrolebindings", binding("ClusterRole", "s"))


async def test_absent_role_can_not_be_bound(api: Api) -> None:
    with pytest.raises(NotFound) as refused:
        await write(api, "rolebindings", binding("Role", "none"))
    assert refused.value.message == f'rolebindings.{GROUP} "none" not found'


async def test_bind_lifts_the_limit_for_one_role(api: Api) -> None:
    for name in ("a", "b"):
        await api.create("clusterroles", {"metadata": {"name": name}, "rules": [rule("*", ("*",), "*")]})
    await grant(api, "binder", rule("bind", (GROUP,), "clusterroles", names="a"), subject=USER_JANE)
    await write(api, "rolebindings", binding("ClusterRole", "a"))
    with pytest.raises(ApiError):
        await write(api, "rolebindings", {**binding("ClusterRole", "b"), "metadata": {"name": "y"}})


async def test_masters_grant_anything(api: Api) -> None:
    await bind(api, "rolebindings", "dangling", "Role", DEVS)
    await api.create("roles", role(rule("*", ("*",), "*")))


def policy(verbs: str, groups: str = "", resources: str = "", names: str = "", urls: str = "") -> PolicyRule:
    return PolicyRule(
        verbs=tuple(verbs.split()),
        api_groups=() if urls else tuple(groups.split()) or ("",),
        resources=tuple(resources.split()),
        resource_names=tuple(names.split()),
        non_resource_urls=tuple(urls.split()),
    )


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        (policy("*", "*", "*"), policy("get", "apps", "deployments/scale"), True),
        (policy("get", "*", "*/scale"), policy("get", "apps", "deployments/scale"), True),
        (policy("get", "*", "*/scale"), policy("get", "apps", "deployments"), False),
        (policy("get", "*", "deployments"), policy("get", "*", "*/scale"), False),
        (policy("get", resources="pods", names="a"), policy("get", resources="pods"), False),
        (policy("get", resources="pods", names="a b"), policy("get", resources="pods", names="b"), True),
        (policy("get", resources="pods"), policy("get list", resources="pods"), False),
        (policy("get", urls="*"), policy("get", urls="/x"), True),
        (policy("get", urls="/x/*"), policy("get", urls="/x/y/*"), True),
        (policy("get", urls="/x/y"), policy("get", urls="/x/*"), False),
        (policy("*", "*", "*"), policy("get", urls="/x"), False),
    ],
)
def test_covering(held: PolicyRule, wanted: PolicyRule, covered: bool) -> None:
    assert (not missing_rules([held], [wanted])) is covered
