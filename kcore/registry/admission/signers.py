"""Who may act for a signer of certificates: by its name, or by all names of its domain."""

from __future__ import annotations

from kcore.registry.access import Attributes, Authorizer
from kcore.registry.request import User

__all__ = ["may_act_for"]


def may_act_for(authorizer: Authorizer, user: User, verb: str, signer: str) -> bool:
    domain = signer.partition("/")[0]
    return any(
        authorizer.allowed(Attributes(user, verb, "certificates.k8s.io", "signers", name=name))
        for name in (signer, f"{domain}/*")
    )
