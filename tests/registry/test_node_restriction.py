"""What a node may write of what it may write to: NodeRestriction."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kcore.api.authentication_v1 import TokenRequest
from kcore.api.errors import Forbidden
from kcore.api.policy_v1 import Eviction
from kcore.registry.authentication import ISSUER
from kcore.registry.request import PatchType, Request, User
from kcore.registry.service_account_tokens import ServiceAccountTokens
from kcore.registry.verbs import Registry
from tests.registry.conftest import Api, tree

ONE = User("system:node:one", groups=("system:nodes", "system:authenticated"))
CONTAINERS = [{"name": "app", "image": "registry.example/app:1"}]
READY = {"type": "Ready", "status": "True"}


@pytest.fixture
async def nodes(api: Api) -> Api:
    """Two nodes, each with a pod; namespace of leases."""
    await api.create("namespaces", {"metadata": {"name": "kube-node-lease"}})
    for name in ("one", "two"):
        await api.create("nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}}})
        volumes = [
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}
        ]
        spec = {"nodeName": name, "serviceAccountName": "robot", "containers": CONTAINERS, "volumes": volumes}
        await api.create("pods", {"metadata": {"name": f"on-{name}"}, "spec": spec})
    return api


def by_node(api: Api, verb: str, resource: str, name: str = "", namespace: str = "ns", **more: Any) -> Request:
    request = api.request(verb, resource, name, namespace, **more)
    request.user = ONE
    return request


async def patched(api: Api, resource: str, name: str, patch: Any, **more: Any) -> Any:
    document = msgspec.json.encode(patch)
    return tree(await api.registry.patch(by_node(api, "patch", resource, name, **more), PatchType.MERGE, document))


async def test_node_writes_itself_and_no_other(nodes: Api) -> None:
    await patched(nodes, "nodes", "one", {"status": {"conditions": [READY]}}, subresource="status")
    await patched(nodes, "nodes", "one", {"metadata": {"annotations": {"a": "b"}}})
    with pytest.raises(Forbidden, match='node "one" is not allowed to modify node "two"'):
        await patched(nodes, "nodes", "two", {"status": {"conditions": [READY]}}, subresource="status")
    with pytest.raises(Forbidden, match='node "one" is not allowed to modify node "three"'):
        await nodes.create("nodes", {"metadata": {"name": "three"}}, by_node(nodes, "create", "nodes"))


@pytest.mark.parametrize(
    "label",
    [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
        "node.kubernetes.io/anything",
        "kubelet.kubernetes.io/anything",
        "team.kubelet.kubernetes.io/anything",
        "example.com/anything",
        "anything",
    ],
)
async def test_node_sets_labels_of_its_own(nodes: Api, label: str) -> None:
    await patched(nodes, "nodes", "one", {"metadata": {"labels": {label: "x"}}})


@pytest.mark.parametrize(
    "label",
    [
        "node-restriction.kubernetes.io/secure",
        "team.node-restriction.kubernetes.io/secure",
        "node-role.kubernetes.io/control-plane",
        "kubernetes.io/cluster",
        "k8s.io/cluster",
        "team.k8s.io/cluster",
    ],
)
async def test_node_does_not_set_labels_that_steer_pods(nodes: Api, label: str) -> None:
    with pytest.raises(Forbidden, match=f"is not allowed to modify labels: {label}"):
        await patched(nodes, "nodes", "one", {"metadata": {"labels": {label: "x"}}})
    await nodes.patch("nodes", "one", {"metadata": {"labels": {label: "x"}}})
    with pytest.raises(Forbidden, match=f"is not allowed to modify labels: {label}"):
        await patched(nodes, "nodes", "one", {"metadata": {"labels": {label: None}}})


async def test_node_does_not_lift_its_taints(nodes: Api) -> None:
    with pytest.raises(Forbidden, match='node "one" is not allowed to modify taints'):
        await patched(nodes, "nodes", "one", {"spec": {"taints": None}})


async def test_node_takes_no_owners(nodes: Api) -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "two", "uid": "u"}
    with pytest.raises(Forbidden, match='node "one" is not allowed to modify ownerReferences'):
        await patched(nodes, "nodes", "one", {"metadata": {"ownerReferences": [owner]}})


def signing_request(name: str) -> dict[str, Any]:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    spec = {
        "request": base64.b64encode(wanted.public_bytes(Encoding.PEM)).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "usages": ["digital signature", "client auth"],
    }
    return {"metadata": {"generateName": "csr-"}, "spec": spec}


async def test_node_asks_for_certificates_of_its_own_name(nodes: Api) -> None:
    resource = "certificatesigningrequests"
    await nodes.create(resource, signing_request("system:node:one"), by_node(nodes, "create", resource, namespace=""))
    with pytest.raises(Forbidden, match="can only create a node CSR with CN=system:node:one"):
        await nodes.create(
            resource, signing_request("system:node:two"), by_node(nodes, "create", resource, namespace="")
        )


async def test_node_tells_the_status_of_its_pods_only(nodes: Api) -> None:
    status = {"status": {"phase": "Running"}}
    await patched(nodes, "pods", "on-one", status, subresource="status")
    with pytest.raises(Forbidden, match=r"only update pod status for pods with spec\.nodeName set to itself"):
        await patched(nodes, "pods", "on-two", status, subresource="status")
    with pytest.raises(Forbidden, match="cannot update labels through pod status"):
        await patched(nodes, "pods", "on-one", {**status, "metadata": {"labels": {"a": "b"}}}, subresource="status")
    with pytest.raises(Forbidden, match="can only create and delete mirror pods"):
        await patched(nodes, "pods", "on-one", {"metadata": {"labels": {"a": "b"}}})


async def test_node_deletes_and_evicts_its_pods_only(nodes: Api) -> None:
    with pytest.raises(Forbidden, match="can only delete pods"):
        await nodes.delete("pods", "on-two", by_node(nodes, "delete", "pods", "on-two"))
    eviction = nodes.decode("pods", {"metadata": {"name": "on-two"}}, Eviction)
    with pytest.raises(Forbidden, match="can only evict pods"):
        await nodes.registry.create(by_node(nodes, "create", "pods", "on-two", subresource="eviction"), eviction)
    await nodes.delete("pods", "on-one", by_node(nodes, "delete", "pods", "on-one"))


def mirror(uid: str, **changes: Any) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "one", "uid": uid, "controller": True}
    metadata: dict[str, Any] = {
        "name": "mirror",
        "annotations": {"kubernetes.io/config.mirror": "x"},
        "ownerReferences": [{**owner, **changes.pop("owner", {})}],
        **changes.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": {"nodeName": "one", "containers": CONTAINERS, **changes}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata": {"annotations": {}}}, "can only create mirror pods"),
        ({"nodeName": "two"}, "can only create pods with spec.nodeName set to itself"),
        ({"metadata": {"ownerReferences": []}}, "can only create pods with an owner reference set to itself"),
        ({"owner": {"name": "two"}}, "can only create pods with an owner reference set to itself"),
        ({"owner": {"controller": False}}, "with a controller owner reference set to itself"),
        ({"owner": {"blockOwnerDeletion": True}}, "must not set blockOwnerDeletion on an owner reference"),
        ({"owner": {"uid": "other"}}, "node one UID mismatch: expected other got "),
        ({"serviceAccountName": "robot"}, "can not create pods that reference a service account"),
        ({"imagePullSecrets": [{"name": "s"}]}, "can not create pods that reference secrets"),
        ({"volumes": [{"name": "c", "configMap": {"name": "c"}}]}, "can not create pods that reference configmaps"),
        (
            {"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]},
            "can not create pods that reference persistentvolumeclaims",
        ),
    ],
)
async def test_mirror_pod_is_of_the_node_and_names_nothing(nodes: Api, changes: dict[str, Any], words: str) -> None:
    uid = nodes.get("nodes", "one")["metadata"]["uid"]
    with pytest.raises(Forbidden, match=words):
        await nodes.create("pods", mirror(uid, **changes), by_node(nodes, "create", "pods"))


async def test_node_shows_what_it_runs_as_mirror_pods(nodes: Api) -> None:
    uid = nodes.get("nodes", "one")["metadata"]["uid"]
    await nodes.create("pods", mirror(uid), by_node(nodes, "create", "pods"))
    assert nodes.exists("pods", "mirror")


@pytest.mark.parametrize(
    ("namespace", "name", "words"),
    [
        ("kube-node-lease", "two", "can only access node lease with the same name as the requesting node"),
        ("ns", "one", 'can only access leases in the "kube-node-lease" system namespace'),
    ],
)
async def test_node_renews_its_own_lease_only(nodes: Api, namespace: str, name: str, words: str) -> None:
    lease = {"metadata": {"name": name, "namespace": namespace}}
    with pytest.raises(Forbidden, match=words):
        await nodes.create("leases", lease, by_node(nodes, "create", "leases", namespace=namespace))


async def test_node_writes_its_own_lease_and_csi_node(nodes: Api) -> None:
    lease = {"metadata": {"name": "one"}}
    await nodes.create("leases", lease, by_node(nodes, "create", "leases", namespace="kube-node-lease"))
    await nodes.create("csinodes", csi_node("one"), by_node(nodes, "create", "csinodes"))
    with pytest.raises(Forbidden, match="can only access CSINode with the same name as the requesting node"):
        await nodes.create("csinodes", csi_node("two"), by_node(nodes, "create", "csinodes"))


def csi_node(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"drivers": []}}


async def test_node_reports_the_size_of_claims_and_nothing_else(nodes: Api) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    await nodes.create("persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec})
    claims = "persistentvolumeclaims"
    await patched(nodes, claims, "c", {"status": {"capacity": {"storage": "1Gi"}}}, subresource="status")
    with pytest.raises(Forbidden, match=r"is not allowed to update fields other than status\.quantity"):
        await patched(nodes, claims, "c", {"status": {"phase": "Bound"}}, subresource="status")
    with pytest.raises(Forbidden, match="may only update PVC status"):
        await patched(nodes, claims, "c", {"metadata": {"labels": {"a": "b"}}})


# Tokens


class Signing:
    async def load(self) -> None: ...

    def sign(self, claims: Any) -> str:
        return "token"

    def verified(self, token: str) -> Any:
        return None


def with_tokens(api: Api) -> Registry:
    """The same store, with tokens."""
    env = api.registry.env
    tokens = ServiceAccountTokens(env.store, env.scheme, env.clock, env.chance, Signing())
    return Registry(env.store, env.scheme, clock=env.clock, chance=env.chance, tokens=tokens)


@pytest.mark.parametrize(
    ("pod", "audiences", "words"),
    [
        ("on-one", ("vault",), ""),
        ("on-one", ("other",), 'audience "other" not found in pod spec volume, system:node:one is not authorized'),
        ("on-one", (), 'audience "" not found in pod spec volume'),
        ("on-one", ("vault", "other"), "node may only request 0 or 1 audiences"),
        ("on-two", ("vault",), "node requested token bound to a pod scheduled on a different node"),
        ("", ("vault",), "node requested token not bound to a pod"),
    ],
)
async def test_node_asks_for_tokens_that_its_pods_want(nodes: Api, pod: str, audiences: Any, words: str) -> None:
    await nodes.create("serviceaccounts", {"metadata": {"name": "robot"}})
    uid = nodes.get("pods", pod)["metadata"]["uid"] if pod else ""
    ref = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    document = {"spec": {"audiences": audiences, **({"boundObjectRef": ref} if pod else {})}}
    request = by_node(nodes, "create", "serviceaccounts", "robot", subresource="token")
    asked = with_tokens(nodes).create(request, nodes.decode("serviceaccounts", document, TokenRequest))
    if words:
        with pytest.raises(Forbidden, match=words):
            await asked
    else:
        assert tree(await asked)["status"]["token"] == "token"


async def test_token_for_a_pod_of_the_past_is_refused(nodes: Api) -> None:
    await nodes.create("serviceaccounts", {"metadata": {"name": "robot"}})
    for uid, words in (("", "with a pod binding without a uid"), ("other", "does not match the UID in record")):
        ref = {"apiVersion": "v1", "kind": "Pod", "name": "on-one", "uid": uid}
        body = nodes.decode("serviceaccounts", {"spec": {"boundObjectRef": ref, "audiences": [ISSUER]}}, TokenRequest)
        request = by_node(nodes, "create", "serviceaccounts", "robot", subresource="token")
        with pytest.raises(Forbidden, match=words):
            await with_tokens(nodes).create(request, body)


async def test_node_that_does_not_say_which_writes_nothing(nodes: Api) -> None:
    request = by_node(nodes, "create", "leases", namespace="kube-node-lease")
    request.user = User("system:node:", groups=("system:nodes",))
    with pytest.raises(Forbidden, match='could not determine node from user "system:node:"'):
        await nodes.create("leases", {"metadata": {"name": "one"}}, request)
