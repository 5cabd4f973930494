"""What Roles and bindings grant, and how soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from kcore.api.rbac_v1 import PolicyRule
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.access import Attributes, Decision
from kcore.registry.codec import StoreCodec
from kcore.registry.rbac import RbacAuthorizer
from kcore.registry.request import User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import WINDOW, Window
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock

GROUP = "rbac.authorization.k8s.io"
JANE = User("jane", groups=("devs", "system:authenticated"))
ROBOT = User("system:serviceaccount:ns:robot", groups=("system:serviceaccounts", "system:serviceaccounts:ns"))


def rbac_api(clock: HandClock, history: Window = WINDOW) -> tuple[Api, RbacAuthorizer]:
    scheme = Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog(), history=history)
    authorizer = RbacAuthorizer(store)
    return Api(Registry(store, scheme, STRATEGIES, clock, Chance(7), authorizer=authorizer), clock), authorizer


@pytest.fixture
async def policed(clock: HandClock) -> tuple[Api, RbacAuthorizer]:
    api, authorizer = rbac_api(clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    return api, authorizer


def rule(
    verbs: str, groups: Sequence[str] = ("",), resources: str = "", names: str = "", urls: str = ""
) -> dict[str, Any]:
    if urls:
        return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}
    found = {"verbs": verbs.split(), "apiGroups": list(groups), "resources": resources.split()}
    return {**found, "resourceNames": names.split()} if names else found


async def grant(api: Api, name: str, *rules: Any, subject: Mapping[str, str], cluster: bool = False) -> None:
    role, binding = ("clusterroles", "clusterrolebindings") if cluster else ("roles", "rolebindings")
    await api.create(role, {"metadata": {"name": name}, "rules": list(rules)})
    await bind(api, binding, name, "ClusterRole" if cluster else "Role", subject)


async def bind(api: Api, bindings: str, name: str, kind: str, subject: Mapping[str, str]) -> None:
    ref = {"apiGroup": GROUP, "kind": kind, "name": name}
    await api.create(bindings, {"metadata": {"name": name}, "roleRef": ref, "subjects": [dict(subject)]})


USER_JANE = {"kind": "User", "name": "jane"}
DEVS = {"kind": "Group", "name": "devs"}


def ask(verb: str, resource: str, group: str = "", namespace: str = "ns", name: str = "") -> Attributes:
    plural, _, subresource = resource.partition("/")
    return Attributes(JANE, verb, group, plural, subresource, namespace, name)


@pytest.mark.parametrize(
    ("granted", "question", "allowed"),
    [
        (rule("get", resources="pods"), ask("get", "pods", name="p"), True),
        (rule("get", resources="pods"), ask("list", "pods"), False),
        (rule("get", resources="pods"), ask("get", "pods", group="apps"), False),
        (rule("get", resources="pods"), ask("get", "pods/log"), False),
        (rule("get", resources="pods"), ask("get", "pods", namespace="other"), False),
        (rule("get", resources="pods"), ask("get", "pods", namespace=""), False),
        (rule("get", resources="pods/log"), ask("get", "pods/log"), True),
        (rule("get", resources="pods/log"), ask("get", "pods"), False),
        (rule("get", resources="*"), ask("get", "secrets"), True),
        (rule("get", resources="*"), ask("get", "pods/exec"), True),
        (rule("get", ("*",), "*/scale"), ask("get", "deployments/scale", group="apps"), True),
        (rule("get", ("*",), "*/scale"), ask("get", "deployments", group="apps"), False),
        (rule("get", ("*",), "pods/*"), ask("get", "pods/log"), False),
        (rule("*", ("*",), "pods"), ask("anything", "pods", group="any"), True),
        (rule("get", resources="configmaps", names="one"), ask("get", "configmaps", name="one"), True),
        (rule("get", resources="configmaps", names="one"), ask("get", "configmaps", name="two"), False),
        (rule("list", resources="configmaps", names="one"), ask("list", "configmaps"), False),
        (rule("create", resources="configmaps", names="one"), ask("create", "configmaps"), False),
    ],
)
async def test_a_role_allows_what_it_says(
    policed: tuple[Api, RbacAuthorizer], granted: Any, question: Attributes, allowed: bool
) -> None:
    api, authorizer = policed
    await grant(api, "r", granted, subject=USER_JANE)
    assert authorizer.allowed(question) is allowed
    assert authorizer.decide(question).allowed is allowed


@pytest.mark.parametrize(
    ("urls", "path", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/ping", False),
        ("/healthz/*", "/healthz/ping", True),
        ("/healthz/*", "/healthz", False),
        ("/heal*", "/healthz", True),
        ("*", "/anything", True),
    ],
)
async def test_urls_that_are_no_resources(
    policed: tuple[Api, RbacAuthorizer], urls: str, path: str, allowed: bool
) -> None:
    api, authorizer = policed
    await grant(api, "r", rule("get", urls=urls), subject=DEVS, cluster=True)
    assert authorizer.allowed(Attributes(JANE, "get", path=path)) is allowed
    assert not authorizer.allowed(Attributes(JANE, "post", path=path))


async def test_cluster_role_counts_where_it_is_bound(policed: tuple[Api, RbacAuthorizer]) -> None:
    api, authorizer = policed
    await api.create("clusterroles", {"metadata": {"name": "r"}, "rules": [rule("get", resources="pods")]})
    await bind(api, "rolebindings", "r", "ClusterRole", USER_JANE)
    assert authorizer.allowed(ask("get", "pods"))
    assert not authorizer.allowed(ask("get", "pods", namespace="other"))
    await bind(api, "clusterrolebindings", "r", "ClusterRole", USER_JANE)
    assert authorizer.allowed(ask("get", "pods", namespace="other"))


async def test_service_accounts_are_subjects_of_the_bindings_namespace(policed: tuple[Api, RbacAuthorizer]) -> None:
    api, authorizer = policed
    await grant(api, "r", rule("get", resources="pods"), subject={"kind": "ServiceAccount", "name": "robot"})
    decision = authorizer.decide(Attributes(ROBOT, "get", "", "pods", "", "ns", "p"))
    assert decision == Decision(True, 'RBAC: allowed by RoleBinding "r/ns" of Role "r" to ServiceAccount "robot/ns"')


async def test_changes_count_at_once(policed: tuple[Api, RbacAuthorizer]) -> None:
    api, authorizer = policed
    question = ask("get", "pods")
    assert not authorizer.allowed(question)
    await grant(api, "r", rule("list", resources="pods"), subject=DEVS)
    assert not authorizer.allowed(question)
    await api.patch("roles", "r", {"rules": [rule("get", resources="pods")]})
    assert authorizer.allowed(question)
    await api.patch("rolebindings", "r", {"subjects": [{"kind": "User", "name": "joe"}]})
    assert not authorizer.allowed(question)
    await api.patch("rolebindings", "r", {"subjects": [USER_JANE]})
    assert authorizer.allowed(question)
    await api.delete("rolebindings", "r")
    assert not authorizer.allowed(question)


async def test_refusal_names_roles_that_do_not_exist(policed: tuple[Api, RbacAuthorizer]) -> None:
    api, authorizer = policed
    await bind(api, "clusterrolebindings", "gone", "ClusterRole", DEVS)
    gone = f'clusterrole.{GROUP} "gone" not found'
    assert authorizer.decide(ask("get", "pods")) == Decision(False, f"RBAC: {gone}")
    await bind(api, "rolebindings", "lost", "Role", USER_JANE)
    lost = f'role.{GROUP} "lost" not found'
    assert authorizer.decide(ask("get", "pods")) == Decision(False, f"RBAC: [{gone}, {lost}]")
    await api.create("clusterroles", {"metadata": {"name": "gone"}, "rules": [rule("get", resources="pods")]})
    assert authorizer.decide(ask("get", "pods")).allowed


async def test_rules_of_a_user_are_those_of_all_bindings(policed: tuple[Api, RbacAuthorizer]) -> None:
    api, authorizer = policed
    await grant(api, "a", rule("get", resources="pods"), subject=DEVS)
    await grant(api, "b", rule("get", urls="/x"), subject=USER_JANE, cluster=True)
    rules, errors, _ = authorizer.rules(JANE, "ns")
    assert list(rules) == [
        PolicyRule(verbs=("get",), non_resource_urls=("/x",)),
        PolicyRule(verbs=("get",), api_groups=("",), resources=("pods",)),
    ]
    assert list(errors) == []
    assert len(authorizer.rules(JANE, "")[0]) == 1


async def test_index_that_missed_events_reads_the_policy_anew(clock: HandClock) -> None:
    api, authorizer = rbac_api(clock, Window(events=1))
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    assert not authorizer.allowed(ask("get", "pods"))
    await grant(api, "r", rule("get", resources="pods"), subject=USER_JANE)
    for name in ("x", "y", "z"):
        await bind(api, "rolebindings", name, "Role", DEVS)
    assert authorizer.allowed(ask("get", "pods"))
