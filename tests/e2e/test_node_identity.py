"""A node with a certificate of its own: it reaches what its pods need, and nothing else."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.serving import Served, eventually

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def node_context(server: Served, node: str, folder: Path) -> ssl.SSLContext:
    """TLS of a kubelet, whose certificate was asked for and approved as any other."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{node}"))
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    wanted = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = base64.b64encode(wanted.public_bytes(serialization.Encoding.PEM)).decode()
    signer, usages = "kubernetes.io/kube-apiserver-client-kubelet", ["digital signature", "client auth"]
    name = f"node-{folder.name}"
    spec = {"request": pem, "signerName": signer, "usages": usages}
    made = server.request("POST", CSRS, {"metadata": {"name": name}, "spec": spec})
    condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "by a test"}
    made["status"] = {"conditions": [condition]}
    del made["metadata"]["resourceVersion"]  # a controller may have looked at it by now
    server.request("PUT", f"{CSRS}/{name}/approval", made)

    def issued() -> bool:
        """the certificate is there"""
        return bool(server.request("GET", f"{CSRS}/{name}").get("status", {}).get("certificate"))

    eventually(issued)
    certificate = base64.b64decode(server.request("GET", f"{CSRS}/{name}")["status"]["certificate"])
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / "pair.pem").write_bytes(certificate + private)
    authority = base64.b64decode(server.config["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    context.load_cert_chain(folder / "pair.pem")
    return context


def asked(server: Served, context: ssl.SSLContext, method: str, path: str, body: Any = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    merge = "application/merge-patch+json" if method == "PATCH" else "application/json"
    request = urllib.request.Request(server.url + path, data, {"Content-Type": merge}, method=method)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_node_reaches_what_its_pods_need(server: Served, namespace: str, tmp_path: Path) -> None:
    core = f"/api/v1/namespaces/{namespace}"
    first, second = [node["metadata"]["name"] for node in server.request("GET", "/api/v1/nodes")["items"]][:2]
    for node, secret in ((first, "mine"), (second, "theirs")):
        server.request("POST", f"{core}/secrets", {"metadata": {"name": secret}})
        volumes = [{"name": "s", "secret": {"secretName": secret}}]
        spec = {"nodeName": node, "containers": [{"name": "a", "image": "b"}], "volumes": volumes}
        server.request("POST", f"{core}/pods", {"metadata": {"name": f"with-{secret}"}, "spec": spec})
    context = node_context(server, first, tmp_path)
    ready = {"status": {"phase": "Running"}}
    label = {"metadata": {"labels": {"node-restriction.kubernetes.io/secure": "true"}}}
    uid = server.request("GET", f"{core}/pods/with-mine")["metadata"]["uid"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "with-mine", "uid": uid}
    for method, path, body, code in (
        ("GET", f"{core}/secrets/mine", None, 200),
        ("GET", f"{core}/secrets/theirs", None, 403),
        ("GET", f"{core}/secrets", None, 403),
        ("GET", f"{core}/pods/with-mine", None, 200),
        ("GET", f"{core}/pods/with-theirs", None, 403),
        ("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{first}", None, 200),
        ("GET", "/api/v1/pods", None, 403),
        ("PATCH", f"{core}/pods/with-mine/status", ready, 200),
        ("PATCH", f"{core}/pods/with-theirs/status", ready, 403),
        ("GET", f"/api/v1/nodes/{first}", None, 200),
        ("GET", f"/api/v1/nodes/{second}", None, 403),
        ("PATCH", f"/api/v1/nodes/{first}", label, 403),
        ("PATCH", f"/api/v1/nodes/{second}/status", {"status": {"phase": "x"}}, 403),
        ("DELETE", f"/api/v1/nodes/{first}", None, 403),
        ("POST", f"{core}/serviceaccounts/default/token", {"spec": {"boundObjectRef": bound}}, 201),
        ("POST", f"{core}/serviceaccounts/default/token", {"spec": {}}, 403),
        ("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{first}", None, 200),
        ("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{second}", None, 403),
        (
            "POST",
            f"{core}/pods",
            {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
            403,
        ),
    ):
        assert asked(server, context, method, path, body) == code, (method, path)
