"""Who may do what: questions, and who decides them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kcore.api.rbac_v1 import PolicyRule
from kcore.registry.request import User

__all__ = [
    "EVERYTHING",
    "NO_OPINION",
    "AlwaysAllow",
    "AlwaysDeny",
    "Attributes",
    "Authorizer",
    "AuthorizerUnion",
    "BuiltInAccess",
    "Decision",
    "Granted",
    "Masters",
    "is_master",
]

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY = ("/api", "/apis", "/openapi")
_OWN_REVIEWS = ("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")

EVERYTHING = (
    PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),
    PolicyRule(verbs=("*",), non_resource_urls=("*",)),
)


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
    field_selector: str = ""
    """What a list, watch or deletecollection is narrowed to, as it was written."""


class Decision(NamedTuple):
    """`reason`: which grant allows it, or what went wrong while looking for one."""

    allowed: bool
    reason: str = ""


NO_OPINION = Decision(False)


class Granted(NamedTuple):
    """All that a user is granted; `errors` is what could not be found out, `incomplete` that there may be more."""

    rules: Sequence[PolicyRule] = ()
    errors: Sequence[str] = ()
    incomplete: bool = False


class Authorizer(Protocol):
    def allowed(self, attributes: Attributes) -> bool:
        """The bare answer, which every request needs."""

    def decide(self, attributes: Attributes) -> Decision:
        """The answer with its reason, for reviews and refusals."""

    def rules(self, user: User, namespace: str) -> Granted:
        """What a user is granted in a namespace and in the whole cluster."""


def is_master(user: User) -> bool:
    """Members of system:masters may do everything, whatever the policy says: the way back in."""
    return "system:masters" in user.groups


class AlwaysAllow:
    """`--authorization-mode AlwaysAllow`."""

    def allowed(self, attributes: Attributes) -> bool:
        return True

    def decide(self, attributes: Attributes) -> Decision:
        return Decision(True)

    def rules(self, user: User, namespace: str) -> Granted:
        return Granted(EVERYTHING)


class AlwaysDeny:
    """`--authorization-mode AlwaysDeny`: only masters may do anything."""

    def allowed(self, attributes: Attributes) -> bool:
        return False

    def decide(self, attributes: Attributes) -> Decision:
        return Decision(False, "Everything is forbidden.")

    def rules(self, user: User, namespace: str) -> Granted:
        return Granted()


class Masters:
    """Members of system:masters may do everything, in every mode. As in upstream no rule says so."""

    def allowed(self, attributes: Attributes) -> bool:
        return "system:masters" in attributes.user.groups

    def decide(self, attributes: Attributes) -> Decision:
        return Decision(self.allowed(attributes))

    def rules(self, user: User, namespace: str) -> Granted:
        return Granted()


class AuthorizerUnion:
    """The first that allows it decides; who refuse it are all heard."""

    def __init__(self, *authorizers: Authorizer) -> None:
        self._authorizers = authorizers

    def allowed(self, attributes: Attributes) -> bool:
        for authorizer in self._authorizers:  # noqa: SIM110  # a generator costs as much as the answer
            if authorizer.allowed(attributes):
                return True
        return False

    def decide(self, attributes: Attributes) -> Decision:
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.decide(attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons))

    def rules(self, user: User, namespace: str) -> Granted:
        found = [authorizer.rules(user, namespace) for authorizer in self._authorizers]
        rules = [rule for granted in found for rule in granted.rules]
        errors = [error for granted in found for error in granted.errors]
        return Granted(rules, errors, any(granted.incomplete for granted in found))


class BuiltInAccess:
    """What is granted without any policy in the store: everything to system:masters, discovery and questions about
    oneself to who is known, health to all. For a registry that is used alone."""

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

    def decide(self, attributes: Attributes) -> Decision:
        return Decision(self.allowed(attributes))

    def rules(self, user: User, namespace: str) -> Granted:
        return Granted(EVERYTHING if is_master(user) else ())


def _under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)
