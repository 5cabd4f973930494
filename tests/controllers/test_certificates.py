from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec.structs import replace

from kcore.api.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
)
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.certificates.authority import Authority
from kcore.controllers.certificates.requests import Subject, problem
from tests.controllers.control import controlled
from tests.sim.world import World

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODE = Subject(("system:nodes",), "system:node:n1", frozenset())
FOR_CLIENTS = ("digital signature", "client auth")
FOR_SERVERS = ("digital signature", "server auth", "key encipherment")


@pytest.mark.parametrize(
    ("signer", "subject", "usages", "why"),
    [
        (CLIENT, Subject((), "jane", frozenset()), FOR_CLIENTS, ""),
        (CLIENT, Subject((), "jane", frozenset()), ("client auth",), ""),
        (
            CLIENT,
            Subject((), "jane", frozenset()),
            FOR_SERVERS,
            "invalid usage for client certificate: server auth",
        ),
        (
            CLIENT,
            Subject((), "jane", frozenset()),
            ("digital signature",),
            "missing required usage for client certificate: client auth",
        ),
        (KUBELET, NODE, FOR_CLIENTS, ""),
        (KUBELET, NODE, (*FOR_CLIENTS, "key encipherment"), ""),
        (KUBELET, NODE._replace(organizations=("others",)), FOR_CLIENTS, "subject organization is not system:nodes"),
        (
            KUBELET,
            NODE._replace(common_name="n1"),
            FOR_CLIENTS,
            "subject common name does not begin with system:node:",
        ),
        (
            KUBELET,
            NODE._replace(alternatives=frozenset({"IP"})),
            FOR_CLIENTS,
            "IP subjectAltNames are not allowed",
        ),
        (
            KUBELET,
            NODE,
            FOR_SERVERS,
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (SERVING, NODE, FOR_SERVERS, "DNS or IP subjectAltName is required"),
        (SERVING, NODE._replace(alternatives=frozenset({"DNS"})), FOR_SERVERS, ""),
        (
            SERVING,
            NODE._replace(alternatives=frozenset({"DNS", "URI"})),
            FOR_SERVERS,
            "URI subjectAltNames are not allowed",
        ),
        (LEGACY, Subject((), "", frozenset({"Email"})), ("any",), ""),
    ],
)
def test_each_signer_has_its_rules(signer: str, subject: Subject, usages: Sequence[str], why: str) -> None:
    assert problem(signer, subject, usages) == why


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def authority() -> Authority:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kcore")])
    start = datetime(2023, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key(), hashes.SHA256())
    )
    private = key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Authority(certificate.public_bytes(serialization.Encoding.PEM), private)


def request(
    signer: str = CLIENT,
    common_name: str = "jane",
    organization: str = "developers",
    usages: Sequence[str] = FOR_CLIENTS,
    addresses: Sequence[str] = (),
    **spec: Any,
) -> CertificateSigningRequest:
    subject = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if addresses:
        names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return CertificateSigningRequest(
        metadata=ObjectMeta(name="csr"),
        spec=CertificateSigningRequestSpec(
            request=base64.b64encode(pem).decode(), signer_name=signer, usages=tuple(usages), **spec
        ),
    )


async def get(w: World) -> CertificateSigningRequest:
    return await w.client.get(CertificateSigningRequest, "csr")


async def decide(w: World, type_: str = "Approved") -> None:
    found = await get(w)
    condition = CertificateSigningRequestCondition(type=type_, status="True", reason="Test")
    status = replace(found.status, conditions=(condition,))
    await w.client.update(replace(found, status=status), subresource="approval")


async def issued(w: World) -> x509.Certificate:
    """Keys are used beside the loop, whose time flies meanwhile."""
    informer = w.informers.of(CertificateSigningRequest)

    def signed() -> bool:
        found = informer.get("csr")
        return found is not None and bool(found.status.certificate)

    await w.until(signed, 3000)
    return x509.load_pem_x509_certificate(base64.b64decode((await get(w)).status.certificate))


async def test_approved_request_is_signed_as_it_asks() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request(usages=(*FOR_CLIENTS, "key encipherment")))
        await w.settle(5)
        assert not (await get(w)).status.certificate
        await decide(w)
        certificate = await issued(w)
        assert certificate.subject.rfc4514_string() == "CN=jane,O=developers"
        assert certificate.issuer.rfc4514_string() == "CN=kcore"
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lifetime == timedelta(days=365)


async def test_lifetime_is_what_was_asked_for() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request(expiration_seconds=3600))
        await decide(w)
        certificate = await issued(w)
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lifetime == timedelta(minutes=65)


async def test_serving_certificate_keeps_its_names() -> None:
    async with controlled(authority=authority()) as w:
        made = request(SERVING, "system:node:n1", "system:nodes", FOR_SERVERS, ["10.0.0.1"])
        await w.client.create(made)
        await decide(w)
        names = (await issued(w)).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.1")]


async def test_request_that_breaks_its_signers_rules_has_failed() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request(SERVING, "system:node:n1", "system:nodes", FOR_SERVERS))
        await decide(w)
        informer = w.informers.of(CertificateSigningRequest)

        def judged() -> bool:
            found = informer.get("csr")
            return found is not None and len(found.status.conditions) == 2

        await w.until(judged, 3000)
        failed = (await get(w)).status.conditions[1]
        assert (failed.type, failed.reason) == ("Failed", "SignerValidationFailure")
        assert failed.message == "DNS or IP subjectAltName is required"


async def test_signers_of_others_are_left_to_them() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request("example.com/signer"))
        await decide(w)
        await w.settle(30)
        assert (await get(w)).status.certificate == ""


async def test_kubelet_that_may_is_approved_without_a_person() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request(KUBELET, "system:node:n1", "system:nodes"))
        await issued(w)
        approved = (await get(w)).status.conditions[0]
        assert (approved.type, approved.reason) == ("Approved", "AutoApproved")
        assert approved.message == "Auto approving kubelet client certificate after SubjectAccessReview."


async def test_kubelet_that_may_not_waits_for_a_person() -> None:
    async with controlled(authority=authority()) as w:
        stranger = w.client.as_user("system:node:n1", ("system:nodes", "system:authenticated"))
        await stranger.create(request(KUBELET, "system:node:n1", "system:nodes"))
        await w.settle(30)
        assert (await get(w)).status.conditions == ()


@pytest.mark.parametrize(("decision", "hours"), [("", 24), ("Denied", 1)])
async def test_request_that_is_through_is_forgotten(decision: str, hours: float) -> None:
    async with controlled() as w:
        await w.client.create(request())
        if decision:
            await decide(w, decision)
        await w.settle(3600 * hours - 60)
        assert await get(w)
        await w.settle(120)
        with pytest.raises(NotFound):
            await get(w)


async def test_request_that_got_its_certificate_is_forgotten() -> None:
    async with controlled(authority=authority()) as w:
        await w.client.create(request())
        await decide(w)
        await issued(w)
        informer = w.informers.of(CertificateSigningRequest)
        while informer.get("csr") is not None:
            await w.settle(600)
