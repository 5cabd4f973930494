"""Who may do what: the decision is an authorizer's; the refusal's wording is upstream's."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kcore.registry.request import User

__all__ = ["Attributes", "Authorizer", "BuiltInAccess"]

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY = ("/api", "/apis", "/openapi")
_OWN_REVIEWS = ("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")


class Attributes(NamedTuple):
    """One access question: a resource (`path` empty) or a non-resource path."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Authorizer(Protocol):
    def allowed(self, attributes: Attributes) -> bool: ...


class BuiltInAccess:
    """What is granted before any role: everything to system:masters, discovery and questions about
    oneself to who is known, health to all."""

    def allowed(self, attributes: Attributes) -> bool:
        groups = attributes.user.groups
        if "system:masters" in groups:
            return True
        if not attributes.path:
            own = attributes.resource in _OWN_REVIEWS and attributes.verb == "create"
            return own and "system:authenticated" in groups
        if attributes.verb != "get":
            return False
        if _under(attributes.path, _PUBLIC):
            return True
        return "system:authenticated" in groups and _under(attributes.path, _DISCOVERY)


def _under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)
