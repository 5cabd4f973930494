"""What a node may reach: the pods that run on it, and what these need."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.access import Attributes, Decision
from kcore.registry.authorization import UnknownMode, authorizer
from kcore.registry.codec import StoreCodec
from kcore.registry.node_access import NodeAuthorizer
from kcore.registry.request import User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import WINDOW, Window
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock, tree

ONE = User("system:node:one", groups=("system:nodes", "system:authenticated"))
EVERY_RULE = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
NO_RELATION = "no relationship found between node 'one' and this object"
POD: dict[str, Any] = {
    "nodeName": "one",
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "name": "app",
            "image": "registry.example/app:1",
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "env-secret", "key": "a"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "env-map", "key": "a"}}},
            ],
            "envFrom": [{"secretRef": {"name": "all-secret"}}, {"configMapRef": {"name": "all-map"}}],
        }
    ],
    "volumes": [
        {"name": "s", "secret": {"secretName": "volume-secret"}},
        {"name": "c", "configMap": {"name": "volume-map"}},
        {
            "name": "p",
            "projected": {
                "sources": [{"secret": {"name": "projected-secret"}}, {"configMap": {"name": "projected-map"}}]
            },
        },
        {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
        {
            "name": "e",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                }
            },
        },
        {"name": "x", "csi": {"driver": "csi.example", "nodePublishSecretRef": {"name": "csi-secret"}}},
    ],
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}],
}
VOLUME: dict[str, Any] = {
    "metadata": {"name": "disk"},
    "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "claimRef": {"namespace": "ns", "name": "data"},
        "csi": {
            "driver": "csi.example",
            "volumeHandle": "h",
            "nodeStageSecretRef": {"namespace": "vault", "name": "stage-secret"},
            "controllerPublishSecretRef": {"namespace": "vault", "name": "controller-secret"},
        },
    },
}


def node_api(clock: HandClock, history: Window = WINDOW) -> tuple[Api, NodeAuthorizer]:
    scheme = Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog(), history=history)
    return Api(Registry(store, scheme, STRATEGIES, clock, Chance(7)), clock), NodeAuthorizer(store, scheme)


@pytest.fixture
async def noded(clock: HandClock) -> tuple[Api, NodeAuthorizer]:
    """A pod on node one that needs a lot, and one on node two."""
    api, node = node_api(clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    await api.create("pods", {"metadata": {"name": "p"}, "spec": POD})
    other = {"nodeName": "two", "containers": POD["containers"][:1], "volumes": POD["volumes"][:1]}
    await api.create("pods", {"metadata": {"name": "other"}, "spec": other})
    await api.create("persistentvolumes", VOLUME)
    return api, node


def ask(verb: str, resource: str, name: str = "", namespace: str = "ns", **more: Any) -> Attributes:
    plural, _, group = resource.partition(".")
    plural, _, subresource = plural.partition("/")
    user = more.pop("user", ONE)
    return Attributes(user, verb, group, plural, subresource, namespace, name, **more)


def shown(value: object) -> str | None:
    """A question as the id of its test."""
    if not isinstance(value, Attributes):
        return ""
    asked = (value.verb, value.resource, value.subresource, value.namespace, value.name, value.path)
    return " ".join(word for word in (*asked, value.field_selector) if word)


@pytest.mark.parametrize("name", ["pull", *(f"{of}-secret" for of in ("env", "all", "volume", "projected", "csi"))])
async def test_node_reads_the_secrets_of_its_pods_one_by_one(noded: tuple[Api, NodeAuthorizer], name: str) -> None:
    _, node = noded
    for verb in ("get", "list", "watch"):
        assert node.allowed(ask(verb, "secrets", name))
    for verb in ("create", "update", "patch", "delete", "deletecollection"):
        assert not node.allowed(ask(verb, "secrets", name))
    assert node.decide(ask("get", "secrets", name, "other")) == Decision(False, NO_RELATION)


@pytest.mark.parametrize(
    "question",
    [
        *(ask("get", "configmaps", f"{where}-map") for where in ("env", "all", "volume", "projected")),
        ask("get", "persistentvolumeclaims", "data"),
        ask("get", "persistentvolumeclaims", "p-e"),
        ask("patch", "persistentvolumeclaims/status", "data"),
        ask("get", "persistentvolumes", "disk", ""),
        ask("get", "secrets", "stage-secret", "vault"),
        ask("get", "resourceclaims.resource.k8s.io", "gpu"),
        ask("create", "serviceaccounts/token", "robot"),
        ask("get", "pods", "p"),
        ask("watch", "pods", "p"),
        ask("list", "pods", "", "", field_selector="spec.nodeName=one"),
        ask("update", "pods/status", "p"),
        ask("create", "pods/eviction", "p"),
        ask("create", "pods", ""),
        ask("get", "nodes", "one", ""),
        ask("watch", "nodes", "one", ""),
        ask("create", "nodes", "", ""),
        ask("patch", "nodes/status", "one", ""),
        ask("create", "leases.coordination.k8s.io", "", "kube-node-lease"),
        ask("update", "leases.coordination.k8s.io", "one", "kube-node-lease"),
        ask("create", "csinodes.storage.k8s.io", "", ""),
        ask("patch", "csinodes.storage.k8s.io", "one", ""),
        ask("create", "resourceslices.resource.k8s.io", "", ""),
        ask("list", "resourceslices.resource.k8s.io", "", "", field_selector="nodeName=one"),
        ask("list", "services", "", ""),
        ask("create", "events", "", "ns"),
        ask("create", "certificatesigningrequests.certificates.k8s.io", "", ""),
        ask("create", "tokenreviews.authentication.k8s.io", "", ""),
        ask("list", "runtimeclasses.node.k8s.io", "", ""),
    ],
    ids=shown,
)
async def test_node_may(noded: tuple[Api, NodeAuthorizer], question: Attributes) -> None:
    assert noded[1].decide(question).allowed


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (ask("get", "secrets", "other"), NO_RELATION),
        (ask("get", "secrets", "controller-secret", "vault"), NO_RELATION),
        (ask("list", "secrets"), "No Object name found"),
        (ask("list", "secrets", "pull", ""), "can only read namespaced object of this type"),
        (ask("delete", "secrets", "pull"), "can only read resources of this type"),
        (ask("list", "persistentvolumeclaims"), "can only get individual resources of this type"),
        (ask("get", "persistentvolumes", "other", ""), NO_RELATION),
        (ask("create", "serviceaccounts/token", "other"), NO_RELATION),
        (ask("create", "serviceaccounts", "robot"), "can only create token subresource of serviceaccount"),
        (ask("get", "serviceaccounts", "robot"), "can only create tokens for individual service accounts"),
        (ask("get", "pods", "other"), NO_RELATION),
        (ask("list", "pods"), "can only list/watch pods with spec.nodeName field selector"),
        (
            ask("list", "pods", field_selector="spec.nodeName=two"),
            "can only list/watch pods with spec.nodeName field selector",
        ),
        (
            ask("list", "pods", field_selector="spec.nodeName!=one"),
            "can only list/watch pods with spec.nodeName field selector",
        ),
        (ask("update", "pods", "p"), ""),
        (ask("create", "pods/exec", "p"), ""),
        (ask("create", "pods/binding", "p"), ""),
        (ask("get", "nodes", "two", ""), "node 'one' cannot read 'two', only its own Node object"),
        (ask("list", "nodes", "", ""), "node 'one' cannot read all nodes, only its own Node object"),
        (ask("delete", "nodes", "one", ""), ""),
        (ask("get", "nodes/proxy", "one", ""), ""),
        (
            ask("update", "leases.coordination.k8s.io", "two", "kube-node-lease"),
            "can only access node lease with the same name as the requesting node",
        ),
        (
            ask("get", "leases.coordination.k8s.io", "one", "kube-system"),
            'can only access leases in the "kube-node-lease" system namespace',
        ),
        (
            ask("list", "leases.coordination.k8s.io", "", "kube-node-lease"),
            "can only get, create, update, patch, or delete a node lease",
        ),
        (
            ask("get", "csinodes.storage.k8s.io", "two", ""),
            "can only access CSINode with the same name as the requesting node",
        ),
        (
            ask("list", "resourceslices.resource.k8s.io", "", ""),
            "can only list/watch/deletecollection resourceslices with nodeName field selector",
        ),
        (ask("get", "resourceslices.resource.k8s.io", "x", ""), NO_RELATION),
        (ask("create", "clusterrolebindings.rbac.authorization.k8s.io", "", ""), ""),
        (Attributes(ONE, "get", path="/metrics"), ""),
    ],
    ids=shown,
)
async def test_node_may_not(noded: tuple[Api, NodeAuthorizer], question: Attributes, reason: str) -> None:
    assert noded[1].decide(question) == Decision(False, reason)


async def test_relations_end_with_the_pod(noded: tuple[Api, NodeAuthorizer]) -> None:
    api, node = noded
    two = User("system:node:two", groups=ONE.groups)
    assert node.allowed(ask("get", "secrets", "volume-secret"))
    await api.delete("pods", "p", grace_period_seconds=0)
    assert not node.allowed(ask("get", "secrets", "volume-secret"))
    assert not node.allowed(ask("get", "secrets", "stage-secret", "vault"))
    assert node.allowed(ask("get", "secrets", "volume-secret", user=two))
    await api.create("pods", {"metadata": {"name": "p"}, "spec": {**POD, "nodeName": "two"}})
    assert not node.allowed(ask("get", "secrets", "pull"))
    assert node.allowed(ask("get", "secrets", "pull", user=two))


async def test_pod_counts_from_the_moment_it_is_bound(noded: tuple[Api, NodeAuthorizer]) -> None:
    api, node = noded
    spec = {"containers": [{"name": "a", "image": "b", "envFrom": [{"secretRef": {"name": "late"}}]}]}
    await api.create("pods", {"metadata": {"name": "late"}, "spec": spec})
    assert not node.allowed(ask("get", "secrets", "late"))
    binding = {"metadata": {"name": "late"}, "target": {"kind": "Node", "name": "one"}}
    request = api.request("create", "pods", "late", subresource="binding")
    await api.registry.create(request, api.decode("bindings", binding))
    assert node.allowed(ask("get", "secrets", "late"))


async def test_mirror_pod_gives_its_node_nothing(noded: tuple[Api, NodeAuthorizer]) -> None:
    api, node = noded
    metadata = {"name": "mirror", "annotations": {"kubernetes.io/config.mirror": "x"}}
    volumes = [{"name": "s", "secret": {"secretName": "wanted"}}]
    spec = {"nodeName": "one", "containers": [{"name": "a", "image": "b"}], "volumes": volumes}
    await api.create("pods", {"metadata": metadata, "spec": spec})
    assert not node.allowed(ask("get", "secrets", "wanted"))
    assert node.allowed(ask("get", "pods", "mirror"))


async def test_graph_that_missed_events_is_built_anew(clock: HandClock) -> None:
    api, node = node_api(clock, Window(events=1))
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    assert not node.allowed(ask("get", "secrets", "pull"))
    for name in ("a", "b", "c"):
        await api.create("pods", {"metadata": {"name": name}, "spec": POD})
    assert node.allowed(ask("get", "secrets", "pull"))


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (User("system:node:one"), ""),
        (User("one", groups=("system:nodes",)), ""),
        (User("system:node:", groups=("system:nodes",)), 'unknown node for user "system:node:"'),
    ],
)
async def test_who_is_no_node_is_told_nothing(noded: tuple[Api, NodeAuthorizer], user: User, reason: str) -> None:
    assert noded[1].decide(ask("get", "secrets", "pull", user=user)) == Decision(False, reason)


@pytest.mark.parametrize(
    ("selector", "allowed"),
    [
        (None, False),
        ({"rawSelector": "spec.nodeName=one"}, True),
        ({"rawSelector": "spec.nodeName=two"}, False),
        ({"rawSelector": "="}, False),
        ({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["one"]}]}, True),
        ({"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["one", "two"]}]}, False),
        ({"requirements": [{"key": "spec.nodeName", "operator": "NotIn", "values": ["two"]}]}, False),
    ],
)
async def test_review_may_ask_about_a_selector(
    noded: tuple[Api, NodeAuthorizer], selector: dict[str, Any] | None, allowed: bool
) -> None:
    api, node = noded
    env = api.registry.env
    registry = Registry(env.store, env.scheme, clock=env.clock, chance=env.chance, authorizer=node)
    attributes = {"verb": "list", "resource": "pods", "fieldSelector": selector}
    spec = {"user": ONE.name, "groups": list(ONE.groups), "resourceAttributes": attributes}
    request = api.request("create", "subjectaccessreviews")
    review = await registry.create(request, api.decode("subjectaccessreviews", {"spec": spec}))
    assert tree(review)["status"]["allowed"] is allowed


async def test_rules_of_a_node_can_not_be_listed(noded: tuple[Api, NodeAuthorizer]) -> None:
    granted = noded[1].rules(ONE, "ns")
    assert granted.incomplete
    assert granted.errors == ("node authorizer does not support user rule resolution",)
    assert noded[1].rules(User("jane"), "ns") == ((), (), False)


# Which authorizers decide


async def test_modes_are_asked_in_turn_and_their_reasons_are_joined(noded: tuple[Api, NodeAuthorizer]) -> None:
    api, _ = noded
    ref = {"kind": "ClusterRole", "name": "gone", "apiGroup": "rbac.authorization.k8s.io"}
    subjects = [{"kind": "User", "name": "system:node:one"}]
    await api.create("clusterrolebindings", {"metadata": {"name": "b"}, "roleRef": ref, "subjects": subjects})
    both = authorizer(("Node", "RBAC"), api.store, api.registry.scheme)
    reason = f'{NO_RELATION}\nRBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    assert both.decide(ask("get", "secrets", "x")) == Decision(False, reason)


@pytest.mark.parametrize("modes", [("RBAC",), ("Node",), ("Node", "RBAC"), ("AlwaysDeny",)])
async def test_masters_need_no_policy(noded: tuple[Api, NodeAuthorizer], modes: tuple[str, ...]) -> None:
    master = User("root", groups=("system:masters",))
    decide = authorizer(modes, noded[0].store, noded[0].registry.scheme).decide
    assert decide(Attributes(master, "delete", resource="nodes")) == Decision(True)
    assert not decide(Attributes(User("jane"), "delete", resource="nodes")).allowed


async def test_rules_of_masters_are_those_of_their_role(noded: tuple[Api, NodeAuthorizer]) -> None:
    api, _ = noded
    await api.create("clusterroles", {"metadata": {"name": "all"}, "rules": [EVERY_RULE]})
    ref = {"kind": "ClusterRole", "name": "all", "apiGroup": "rbac.authorization.k8s.io"}
    subjects = [{"kind": "Group", "name": "system:masters", "apiGroup": "rbac.authorization.k8s.io"}]
    await api.create("clusterrolebindings", {"metadata": {"name": "all"}, "roleRef": ref, "subjects": subjects})
    rules = authorizer(("Node", "RBAC"), api.store, api.registry.scheme).rules
    assert len(rules(User("root", groups=("system:masters",)), "ns").rules) == 1


@pytest.mark.parametrize("modes", [(), ("ABAC",), ("Node", "Webhook"), ("RBAC", "RBAC")])
def test_modes_that_do_not_exist_are_refused(modes: tuple[str, ...]) -> None:
    scheme = Scheme()
    with pytest.raises(UnknownMode, match="--authorization-mode"):
        authorizer(modes, EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog()), scheme)
