"""Certificates and long-lived tokens, from the request to being let in with them."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

WHO_AM_I = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def test_certificate_is_asked_for_approved_and_used(kubectl: Kubectl, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    wanted = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = base64.b64encode(wanted.public_bytes(serialization.Encoding.PEM)).decode()
    name = f"jane-{kubectl.namespace[-8:]}"
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": pem, "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(request))
    assert "Pending" in kubectl("get", "csr", name)
    kubectl("certificate", "approve", name)

    def issued() -> bool:
        """the certificate is there"""
        return bool(kubectl("get", "csr", name, "-o", "jsonpath={.status.certificate}"))

    eventually(issued)
    assert "Approved,Issued" in kubectl("get", "csr", name)

    certificate = base64.b64decode(kubectl("get", "csr", name, "-o", "jsonpath={.status.certificate}"))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "pair.pem").write_bytes(certificate + private)
    authority = base64.b64decode(kubectl.server.config["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    context.load_cert_chain(tmp_path / "pair.pem")
    assert who_am_i(kubectl.server.url, context) == "jane"


def test_secret_of_an_account_holds_a_token_that_lives_as_long_as_it(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "robot")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(secret))

    def filled() -> bool:
        """the token is there"""
        return bool(kubectl("get", "secret", "robot-token", "-o", "jsonpath={.data.token}"))

    eventually(filled)
    token = base64.b64decode(kubectl("get", "secret", "robot-token", "-o", "jsonpath={.data.token}")).decode()
    me = f"system:serviceaccount:{kubectl.namespace}:robot"
    authority = base64.b64decode(kubectl.server.config["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    assert who_am_i(kubectl.server.url, context, token) == me
    kubectl("delete", "serviceaccount", "robot")

    def refused() -> bool:
        """the token is good for nothing"""
        try:
            who_am_i(kubectl.server.url, context, token)
        except urllib.error.HTTPError as error:
            return error.code == 401
        return False

    eventually(refused)


def who_am_i(url: str, context: ssl.SSLContext, token: str = "") -> str:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    request = urllib.request.Request(url + path, json.dumps(WHO_AM_I).encode(), {"Content-Type": "application/json"})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return str(json.load(answer)["status"]["userInfo"]["username"])
