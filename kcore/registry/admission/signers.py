"""Who may act for a signer of certificates, by its name or by all names of its domain; and whom requests are about."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from kcore.registry.access import Attributes, Authorizer
from kcore.registry.request import User

if TYPE_CHECKING:
    from cryptography.x509 import ObjectIdentifier

__all__ = ["may_act_for", "named"]


def may_act_for(authorizer: Authorizer, user: User, verb: str, signer: str) -> bool:
    domain = signer.partition("/")[0]
    return any(
        authorizer.allowed(Attributes(user, verb, "certificates.k8s.io", "signers", name=name))
        for name in (signer, f"{domain}/*")
    )


def named(request: str, what: ObjectIdentifier) -> list[str | bytes]:
    """What a request for a certificate, in base64, says of its subject. Raises ValueError where it is none."""
    from cryptography import x509

    try:
        pem = base64.b64decode(request)
    except binascii.Error as e:
        raise ValueError(str(e)) from None
    return [attribute.value for attribute in x509.load_pem_x509_csr(pem).subject.get_attributes_for_oid(what)]
