"""What `authorizer` and `authorizer.requestResource` are: questions about the user of a request."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from kcore.cel.libraries.authorizer import (
    AUTHORIZER_TYPE,
    DECISION,
    GROUP_CHECK,
    PATH_CHECK,
    RESOURCE_CHECK,
)
from kcore.cel.types import Type
from kcore.kit.offload import on_loop
from kcore.registry import access
from kcore.registry.request import User

__all__ = ["AuthorizerValue", "ResourceCheck"]


class Decision:
    cel_type: ClassVar[Type] = DECISION

    def __init__(self, decision: access.Decision) -> None:
        self.allowed = decision.allowed
        self.reason = decision.reason
        self.error = ""


class PathCheck:
    cel_type: ClassVar[Type] = PATH_CHECK

    def __init__(self, authorizer: access.Authorizer, asked: access.Attributes) -> None:
        self._authorizer = authorizer
        self._asked = asked

    def check(self, verb: str) -> Decision:
        asked = self._asked._replace(verb=verb)
        return Decision(on_loop(lambda: self._authorizer.decide(asked)))


class ResourceCheck(PathCheck):
    cel_type: ClassVar[Type] = RESOURCE_CHECK

    def narrowed(self, by: str, value: str) -> ResourceCheck:
        """Selectors narrow nothing: no authorizer here looks at them, as upstream's RBAC does not."""
        asked = self._asked
        match by:
            case "subresource":
                asked = asked._replace(subresource=value)
            case "namespace":
                asked = asked._replace(namespace=value)
            case "name":
                asked = asked._replace(name=value)
        return ResourceCheck(self._authorizer, asked)


class GroupCheck(NamedTuple):
    authorizer: access.Authorizer
    asked: access.Attributes

    def resource(self, resource: str) -> ResourceCheck:
        return ResourceCheck(self.authorizer, self.asked._replace(resource=resource))


GroupCheck.cel_type = GROUP_CHECK  # type: ignore[attr-defined]


class AuthorizerValue:
    cel_type: ClassVar[Type] = AUTHORIZER_TYPE

    def __init__(self, authorizer: access.Authorizer, user: User) -> None:
        self._authorizer = authorizer
        self._user = user

    def path(self, path: str) -> PathCheck:
        return PathCheck(self._authorizer, access.Attributes(self._user, "", path=path))

    def group(self, group: str) -> GroupCheck:
        return GroupCheck(self._authorizer, access.Attributes(self._user, "", group))

    def service_account(self, namespace: str, name: str) -> AuthorizerValue:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return AuthorizerValue(self._authorizer, User(f"system:serviceaccount:{namespace}:{name}", groups=groups))
