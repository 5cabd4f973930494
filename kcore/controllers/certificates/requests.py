"""What a CertificateSigningRequest says of itself, and whether a signer of Kubernetes' own may sign it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kcore.api.certificates_v1 import CertificateSigningRequest

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["KUBELET_CLIENT", "SIGNERS", "Subject", "has_condition", "is_approved", "problem", "subject_of"]

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODES = "system:nodes"
NODE_PREFIX = "system:node:"


class Subject(NamedTuple):
    """Who a certificate is wanted for: organizations, common name, and the kinds of alternative names."""

    organizations: tuple[str, ...]
    common_name: str
    alternatives: frozenset[str]
    """Out of `DNS`, `Email`, `IP` and `URI`."""


def has_condition(request: CertificateSigningRequest, type_: str) -> bool:
    return any(c.type == type_ for c in request.status.conditions)


def is_approved(request: CertificateSigningRequest) -> bool:
    return has_condition(request, "Approved") and not has_condition(request, "Denied")


def parsed(request: CertificateSigningRequest) -> x509.CertificateSigningRequest:
    """Validation has seen to it that it can be."""
    from cryptography import x509

    return x509.load_pem_x509_csr(base64.b64decode(request.spec.request))


def subject_of(request: CertificateSigningRequest) -> Subject:
    """Slow where cryptography is not loaded yet: call it beside the loop."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    found = parsed(request)
    organizations = found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    kinds: Mapping[type[x509.GeneralName], str] = {
        x509.DNSName: "DNS",
        x509.RFC822Name: "Email",
        x509.IPAddress: "IP",
        x509.UniformResourceIdentifier: "URI",
    }
    try:
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = x509.SubjectAlternativeName([])
    return Subject(
        tuple(str(o.value) for o in organizations),
        str(names[0].value) if names else "",
        frozenset(kinds.get(type(name), "other") for name in alternatives),
    )


def problem(signer: str, subject: Subject, usages: Iterable[str]) -> str:
    """Why a signer does not sign a request; "": it does."""
    return SIGNERS[signer](subject, frozenset(usages))


def _client_problem(subject: Subject, usages: frozenset[str]) -> str:
    for usage in sorted(usages - {"digital signature", "key encipherment", "client auth"}):
        return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def _kubelet_client_problem(subject: Subject, usages: frozenset[str]) -> str:
    if why := _node_problem(subject):
        return why
    for kind in ("DNS", "Email", "IP", "URI"):
        if kind in subject.alternatives:
            return f"{kind} subjectAltNames are not allowed"
    return _usage_problem(usages, "client auth")


def _kubelet_serving_problem(subject: Subject, usages: frozenset[str]) -> str:
    if why := _node_problem(subject):
        return why
    if not subject.alternatives & {"DNS", "IP"}:
        return "DNS or IP subjectAltName is required"
    for kind in ("Email", "URI"):
        if kind in subject.alternatives:
            return f"{kind} subjectAltNames are not allowed"
    return _usage_problem(usages, "server auth")


def _node_problem(subject: Subject) -> str:
    if subject.organizations != (NODES,):
        return "subject organization is not system:nodes"
    if not subject.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return ""


def _usage_problem(usages: frozenset[str], purpose: str) -> str:
    needed = {"digital signature", purpose}
    if usages - {"key encipherment"} == needed:
        return ""
    return f"usages did not match [{' '.join(sorted({*needed, 'key encipherment'}))}]"


SIGNERS: Mapping[str, Callable[[Subject, frozenset[str]], str]] = {
    CLIENT: _client_problem,
    KUBELET_CLIENT: _kubelet_client_problem,
    KUBELET_SERVING: _kubelet_serving_problem,
    LEGACY: lambda subject, usages: "",
}
"""The signers that the controller manager runs, and what each objects to in a request."""
