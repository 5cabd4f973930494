"""The plugins that are off by default, and those about certificates and topology."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kcore.api.core_v1 import Toleration
from kcore.api.errors import ApiError, Forbidden, NotFound, TooManyRequests
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.access import Attributes, Decision
from kcore.registry.admission import chosen_plugins
from kcore.registry.admission.pod_toleration_restriction import includes, merged
from kcore.registry.codec import StoreCodec
from kcore.registry.request import User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock
from tests.registry.specimens import pod

CM = {"metadata": {"name": "cm"}}


class Granting:
    """An authorizer that allows what it lists: (verb, resource, name)."""

    def __init__(self, *grants: tuple[str, str, str]) -> None:
        self._grants = grants

    def allowed(self, attributes: Attributes) -> bool:
        resource = f"{attributes.resource}/{attributes.subresource}".rstrip("/")
        return (attributes.verb, resource, attributes.name) in self._grants

    def decide(self, attributes: Attributes) -> Decision:
        return Decision(self.allowed(attributes))

    def rules(self, user: User, namespace: str) -> Any:
        return (), ()


async def an_api(
    *enabled: str, authorizer: Granting | None = None, configurations: dict[str, Any] | None = None, **namespace: Any
) -> Api:
    scheme, clock = Scheme(), HandClock()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    plugins = chosen_plugins(enabled, ["ServiceAccount"], configurations)
    registry = Registry(store, scheme, STRATEGIES, clock, Chance(7), plugins=plugins, authorizer=authorizer)
    api = Api(registry, clock)
    await api.create("namespaces", {"metadata": {"name": "ns", **namespace}})
    return api


# --- namespaces ---


async def test_namespace_is_made_with_its_first_object() -> None:
    api = await an_api("NamespaceAutoProvision")
    await api.create("configmaps", CM, api.request("create", "configmaps", namespace="fresh"))
    made = api.get("namespaces", "fresh")
    assert made["status"]["phase"] == "Active"
    assert made["spec"]["finalizers"] == ["kubernetes"]
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "fresh"}


async def test_dry_run_makes_no_namespace() -> None:
    api = await an_api("NamespaceAutoProvision")
    with pytest.raises(NotFound):
        await api.create("configmaps", CM, api.request("create", "configmaps", namespace="fresh", dry_run=True))


async def test_deletion_in_an_absent_namespace_is_refused_where_it_must_exist() -> None:
    api = await an_api("NamespaceExists")
    await api.create("configmaps", CM)
    await api.store.commit(_gone("namespaces/ns", api))
    with pytest.raises(NotFound, match='namespaces "ns" not found'):
        await api.delete("configmaps", "cm")


def _gone(key: str, api: Api) -> Any:
    from msgspec.structs import replace

    from kcore.store.store import Delete

    record = api.store.get(key)
    assert record is not None
    return Delete(key, replace(record.obj, metadata=replace(record.obj.metadata)))


async def test_everything_is_refused_by_always_deny() -> None:
    api = await an_api()
    denying = await an_api("AlwaysAdmit")
    await denying.create("configmaps", CM)
    api.registry = Registry(
        api.store, api.registry.scheme, STRATEGIES, api.clock, Chance(7), plugins=chosen_plugins(["AlwaysDeny"])
    )
    with pytest.raises(Forbidden, match=r'configmaps "cm" is forbidden: admission control is denying all modifi'):
        await api.create("configmaps", CM)


# --- pods and services ---


@pytest.mark.parametrize(("key", "refused"), [("kubernetes.io/hostname", False), ("zone", True)])
async def test_hard_anti_affinity_reaches_no_further_than_a_node(key: str, refused: bool) -> None:
    api = await an_api("LimitPodHardAntiAffinityTopology")
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"a": "b"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if not refused:
        await api.create("pods", pod(affinity=affinity))
        return
    with pytest.raises(Forbidden, match=r"has TopologyKey zone but only key kubernetes\.io/hostname is allowed"):
        await api.create("pods", pod(affinity=affinity))


async def test_external_addresses_of_services_are_kept_but_not_added() -> None:
    api = await an_api("DenyServiceExternalIPs")
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    await api.create("services", service)
    with pytest.raises(Forbidden, match="Use of external IPs is denied by admission control"):
        await api.patch("services", "s", {"spec": {"externalIPs": ["192.0.2.1"]}})


TOLERATION_CASES = [
    (Toleration(operator="Exists"), Toleration(key="a", value="b"), True),
    (Toleration(key="a", operator="Exists"), Toleration(key="a", value="b", effect="NoSchedule"), True),
    (Toleration(key="a", operator="Exists"), Toleration(key="b", operator="Exists"), False),
    (Toleration(key="a", value="b"), Toleration(key="a", operator="Equal", value="b"), True),
    (Toleration(key="a", value="b"), Toleration(key="a", operator="Exists"), False),
    (Toleration(key="a", operator="Exists", effect="NoExecute"), Toleration(key="a", operator="Exists"), False),
    (
        Toleration(key="a", operator="Exists", effect="NoExecute", toleration_seconds=9),
        Toleration(key="a", operator="Exists", effect="NoExecute", toleration_seconds=10),
        False,
    ),
]


@pytest.mark.parametrize(("wider", "narrower", "expected"), TOLERATION_CASES)
def test_toleration_includes_another(wider: Toleration, narrower: Toleration, expected: bool) -> None:
    assert includes(wider, narrower) is expected


def test_merging_keeps_what_no_other_includes() -> None:
    narrow, wide = Toleration(key="a", value="b"), Toleration(key="a", operator="Exists")
    other = Toleration(key="c", operator="Exists")
    assert merged((narrow, other, wide)) == (other, wide)
    assert merged((wide, narrow, wide, other)) == (wide, other)


async def test_pods_get_their_namespaces_tolerations() -> None:
    annotation = '[{"key": "dedicated", "operator": "Exists"}]'
    api = await an_api(
        "PodTolerationRestriction", annotations={"scheduler.alpha.kubernetes.io/defaultTolerations": annotation}
    )
    await api.create("pods", pod())
    keys = [t["key"] for t in api.get("pods", "p")["spec"]["tolerations"]]
    assert "dedicated" in keys


async def test_tolerations_that_the_namespace_does_not_allow_are_refused() -> None:
    allowed = '[{"operator": "Exists", "effect": "NoExecute"}]'
    api = await an_api(
        "PodTolerationRestriction", annotations={"scheduler.alpha.kubernetes.io/tolerationsWhitelist": allowed}
    )
    with pytest.raises(ApiError, match="conflict with its namespace whitelist") as refused:
        await api.create("pods", pod(tolerations=[{"key": "gpu", "operator": "Exists"}]))
    assert refused.value.status.code == 500


async def test_bound_pod_carries_the_zone_of_its_node() -> None:
    api = await an_api()
    zone, region = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
    await api.create("nodes", {"metadata": {"name": "n", "labels": {zone: "z1", region: "r1", "other": "x"}}})
    await api.create("pods", {**pod(), "metadata": {"name": "p", "labels": {region: "mine"}}})
    request = api.request("create", "pods", "p", subresource="binding")
    target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    await api.registry.create(request, api.decode("bindings", target))
    assert api.get("pods", "p")["metadata"]["labels"] == {zone: "z1", region: "mine"}


# --- events ---


async def test_events_beyond_the_limit_are_told_to_wait() -> None:
    configuration = {
        "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
        "kind": "Configuration",
        "limits": [{"type": "Namespace", "qps": 1, "burst": 2}],
    }
    api = await an_api("EventRateLimit", configurations={"EventRateLimit": configuration})

    async def tell(name: str) -> None:
        about = {"kind": "Pod", "namespace": "ns", "name": "p"}
        kind = api.registry.scheme.find("", "v1", "events")
        assert kind is not None
        request = api.request("create", "events")
        request.kind = kind
        document = {"metadata": {"name": name, "namespace": "ns"}, "involvedObject": about}
        await api.registry.create(request, api.decode("", document, kind.type))

    await tell("a")
    await tell("b")
    with pytest.raises(TooManyRequests, match="limit reached on type Namespace for key ns") as refused:
        await tell("c")
    assert refused.value.retry_after_seconds == 1
    api.clock.time += 1
    await tell("d")


# --- owners ---

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "1"}
DELETE = ("delete", "configmaps", "cm")
FINALIZE = ("update", "configmaps/finalizers", "owner")


@pytest.mark.parametrize(
    ("grants", "blocking", "why"),
    [
        ([DELETE], False, ""),
        ([], False, "cannot set an ownerRef on a resource you can't delete"),
        ([DELETE], True, "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set final"),
        ([DELETE, FINALIZE], True, ""),
    ],
)
async def test_owners_are_set_by_who_may_delete(grants: Any, blocking: bool, why: str) -> None:
    api = await an_api("OwnerReferencesPermissionEnforcement", authorizer=Granting(*grants))
    owner = {**OWNER, "blockOwnerDeletion": blocking}
    document = {"metadata": {"name": "cm", "ownerReferences": [owner]}}
    if why:
        with pytest.raises(Forbidden, match=why):
            await api.create("configmaps", document)
    else:
        await api.create("configmaps", document)


async def test_blocking_owner_of_an_unknown_kind_is_refused() -> None:
    api = await an_api("OwnerReferencesPermissionEnforcement", authorizer=Granting(DELETE))
    owner = {**OWNER, "kind": "Nope", "blockOwnerDeletion": True}
    with pytest.raises(Forbidden, match="cannot find RESTMapping for APIVersion v1 Kind Nope"):
        await api.create("configmaps", {"metadata": {"name": "cm", "ownerReferences": [owner]}})


# --- certificates ---


def signing_request(signer: str, organization: str = "dev") -> dict[str, Any]:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "vera"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        ]
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    pem = request.public_bytes(serialization.Encoding.PEM)
    spec = {"request": base64.b64encode(pem).decode(), "signerName": signer, "usages": ["client auth"]}
    return {"metadata": {"name": "csr"}, "spec": spec}


async def test_nobody_gets_a_certificate_of_the_masters() -> None:
    api = await an_api()
    with pytest.raises(Forbidden, match="signer with system:masters group is not allowed"):
        await api.create(
            "certificatesigningrequests", signing_request("kubernetes.io/kube-apiserver-client", "system:masters")
        )
    await api.create("certificatesigningrequests", signing_request("example.com/other", "system:masters"))


@pytest.mark.parametrize("name", ["example.com/signer", "example.com/*"])
@pytest.mark.parametrize(
    ("verb", "subresource", "word"), [("approve", "approval", "approve"), ("sign", "status", "sign")]
)
async def test_requests_are_approved_and_signed_by_who_may(verb: str, subresource: str, word: str, name: str) -> None:
    condition = {"type": "Approved" if verb == "approve" else "Failed", "status": "True", "reason": "x"}
    change = {"status": {"conditions": [condition]}}
    for grants, refused in (((), True), (((verb, "signers", name),), False)):
        api = await an_api(authorizer=Granting(*grants))
        await api.create("certificatesigningrequests", signing_request("example.com/signer"))
        if refused:
            with pytest.raises(Forbidden, match=f"user not permitted to {word} requests with signerName"):
                await api.patch("certificatesigningrequests", "csr", change, subresource=subresource)
        else:
            await api.patch("certificatesigningrequests", "csr", change, subresource=subresource)


# --- pod security by configuration ---


async def test_pod_security_defaults_and_exemptions_come_from_the_configuration() -> None:
    configuration = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {"enforce": "baseline"},
        "exemptions": {"namespaces": ["system"]},
    }
    api = await an_api(configurations={"PodSecurity": configuration})
    await api.create("namespaces", {"metadata": {"name": "system"}})
    await api.create(
        "namespaces", {"metadata": {"name": "loose", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    )
    for namespace, refused in (("ns", True), ("system", False), ("loose", False)):
        request = api.request("create", "pods", namespace=namespace)
        document = {**pod(hostNetwork=True), "metadata": {"name": "p"}}
        if refused:
            with pytest.raises(Forbidden, match='violates PodSecurity "baseline:latest"'):
                await api.create("pods", document, request)
        else:
            await api.create("pods", document, request)
