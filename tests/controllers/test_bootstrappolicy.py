"""The policy that a cluster begins with, and the roles that are sums of others."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.rbac_v1 import AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleRef
from kcore.controllers.bootstrappolicy import ensure_bootstrap_policy
from kcore.controllers.systemnamespaces import SYSTEM_NAMESPACES, ensure_namespace
from kcore.registry.rbac.bootstrap import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kcore.registry.rbac.covering import missing_rules
from tests.controllers.control import controlled
from tests.sim.world import World

AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"


async def bootstrap(w: World) -> None:
    for name in SYSTEM_NAMESPACES:
        await ensure_namespace(w.client, name)
    await ensure_bootstrap_policy(w.client)


def allows(role: ClusterRole, verb: str, group: str, resource: str) -> bool:
    return not missing_rules(role.rules or (), [PolicyRule(verbs=(verb,), api_groups=(group,), resources=(resource,))])


async def test_new_cluster_has_every_role_and_binding() -> None:
    async with controlled() as w:
        await bootstrap(w)
        assert {r.metadata.name for r in (await w.client.list(ClusterRole)).items} == {
            r.metadata.name for r in CLUSTER_ROLES
        }
        assert len((await w.client.list(ClusterRoleBinding)).items) == len(CLUSTER_ROLE_BINDINGS)
        assert len((await w.client.list(Role)).items) == len(ROLES)


def test_every_binding_is_to_a_role_of_the_policy() -> None:
    cluster_roles = {r.metadata.name for r in CLUSTER_ROLES}
    roles = {(r.metadata.namespace, r.metadata.name) for r in ROLES}
    assert all(b.role_ref.name in cluster_roles for b in CLUSTER_ROLE_BINDINGS)
    assert all((b.metadata.namespace, b.role_ref.name) in roles for b in ROLE_BINDINGS)
    assert len(cluster_roles) == len(CLUSTER_ROLES)


async def test_second_start_changes_nothing() -> None:
    async with controlled() as w:
        await bootstrap(w)
        await w.settle()
        revision = w.registry.store.revision
        await ensure_bootstrap_policy(w.client)
        assert w.registry.store.revision == revision


async def test_start_restores_what_was_taken_away_and_keeps_what_was_added() -> None:
    async with controlled() as w:
        await bootstrap(w)
        role = await w.client.get(ClusterRole, "system:basic-user")
        added = PolicyRule(verbs=("get",), api_groups=("example.com",), resources=("things",))
        await w.client.update(replace(role, rules=(added,)))
        await w.client.delete(ClusterRole, "system:kube-dns")
        binding = await w.client.get(ClusterRoleBinding, "cluster-admin")
        await w.client.update(replace(binding, subjects=()))
        await ensure_bootstrap_policy(w.client)
        restored = await w.client.get(ClusterRole, "system:basic-user")
        assert allows(restored, "create", "authentication.k8s.io", "selfsubjectreviews")
        assert allows(restored, "get", "example.com", "things")
        assert (await w.client.get(ClusterRole, "system:kube-dns")).rules
        assert [s.name for s in (await w.client.get(ClusterRoleBinding, "cluster-admin")).subjects] == [
            "system:masters"
        ]


async def test_binding_to_another_role_is_made_anew() -> None:
    async with controlled() as w:
        await bootstrap(w)
        binding = await w.client.get(ClusterRoleBinding, "system:discovery")
        await w.client.delete(ClusterRoleBinding, "system:discovery")
        metadata = ObjectMeta(name="system:discovery", annotations={AUTO_UPDATE: "true"})
        other = RoleRef(api_group=binding.role_ref.api_group, kind="ClusterRole", name="cluster-admin")
        await w.client.create(ClusterRoleBinding(metadata=metadata, role_ref=other))
        await ensure_bootstrap_policy(w.client)
        assert (await w.client.get(ClusterRoleBinding, "system:discovery")).role_ref.name == "system:discovery"


async def test_role_whose_auto_update_is_off_is_left_alone() -> None:
    async with controlled() as w:
        await bootstrap(w)
        role = await w.client.get(ClusterRole, "system:kube-dns")
        metadata = replace(role.metadata, annotations={AUTO_UPDATE: "false"})
        await w.client.update(replace(role, metadata=metadata, rules=None))
        await ensure_bootstrap_policy(w.client)
        assert (await w.client.get(ClusterRole, "system:kube-dns")).rules is None


@pytest.mark.parametrize(
    ("role", "verb", "group", "resource", "allowed"),
    [
        ("view", "get", "", "pods", True),
        ("view", "get", "", "pods/log", True),
        ("view", "get", "", "secrets", False),
        ("view", "create", "", "pods/exec", False),
        ("view", "update", "", "pods/status", False),
        ("edit", "get", "", "secrets", True),
        ("edit", "create", "apps", "deployments", True),
        ("edit", "update", "", "pods/status", False),
        ("edit", "create", "rbac.authorization.k8s.io", "roles", False),
        ("edit", "update", "", "resourcequotas", False),
        ("admin", "create", "rbac.authorization.k8s.io", "rolebindings", True),
        ("admin", "get", "apps", "deployments", True),
        ("admin", "create", "", "namespaces", False),
        ("cluster-admin", "delete", "any", "thing", True),
    ],
)
async def test_what_the_roles_for_people_allow(role: str, verb: str, group: str, resource: str, allowed: bool) -> None:
    async with controlled() as w:
        await bootstrap(w)
        await w.settle()
        assert allows(await w.client.get(ClusterRole, role), verb, group, resource) is allowed


async def test_aggregated_role_follows_its_parts() -> None:
    async with controlled() as w:
        selector = LabelSelector(match_labels={"part": "yes"})
        rule = AggregationRule(cluster_role_selectors=(selector,))
        await w.client.create(ClusterRole(metadata=ObjectMeta(name="sum"), aggregation_rule=rule))
        rules = [PolicyRule(verbs=(verb,), api_groups=("",), resources=("pods",)) for verb in ("get", "list")]
        for name, each in zip(("b", "a"), rules, strict=True):
            metadata = ObjectMeta(name=name, labels={"part": "yes"})
            await w.client.create(ClusterRole(metadata=metadata, rules=(each,)))
        await w.settle()
        assert (await w.client.get(ClusterRole, "sum")).rules == (rules[1], rules[0])
        await w.client.patch(ClusterRole, "a", {"metadata": {"labels": None}})
        await w.settle()
        assert (await w.client.get(ClusterRole, "sum")).rules == (rules[0],)
        await w.client.delete(ClusterRole, "b")
        await w.settle()
        assert not (await w.client.get(ClusterRole, "sum")).rules
