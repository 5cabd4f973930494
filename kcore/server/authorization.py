"""May this user do this? The decision is the registry's authorizer's; the questions and the refusals are put here."""

from __future__ import annotations

from kcore.api.errors import Forbidden
from kcore.api.field import quote
from kcore.api.meta_v1 import StatusDetails
from kcore.registry.access import Attributes, Authorizer
from kcore.registry.request import User
from kcore.server.address import Address

__all__ = ["authorize_path", "authorize_resource", "require"]


def authorize_resource(
    authorizer: Authorizer, user: User, verb: str, address: Address, name: str = "", field_selector: str = ""
) -> None:
    """Raises Forbidden. `name` is what a field selector on metadata.name narrows a list or watch to."""
    name = address.name or name
    namespace = address.namespace
    if address.resource == "namespaces" and not address.group:
        namespace = address.name
    group, resource, subresource = address.group, address.resource, address.subresource
    asked = Attributes(user, verb, group, resource, subresource, namespace, name, field_selector=field_selector)
    require(authorizer, asked)


def require(authorizer: Authorizer, attributes: Attributes) -> None:
    """Raises Forbidden unless the authorizer allows it."""
    if not authorizer.allowed(attributes):
        raise _forbidden(attributes, authorizer.decide(attributes).reason)


def authorize_path(authorizer: Authorizer, user: User, verb: str, path: str) -> None:
    """The same for a path that is no resource."""
    asked = Attributes(user, verb, path=path)
    if not authorizer.allowed(asked):
        why = _with(f"User {quote(user.name)} cannot {verb} path {quote(path)}", authorizer.decide(asked).reason)
        raise Forbidden(f"forbidden: {why}", StatusDetails())


def _with(why: str, reason: str) -> str:
    """A refusal, and what went wrong while looking for a grant."""
    return f"{why}: {reason}" if reason else why


def _forbidden(asked: Attributes, reason: str) -> Forbidden:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f"in the namespace {quote(asked.namespace)}" if asked.namespace else "at the cluster scope"
    why = (
        f"User {quote(asked.user.name)} cannot {asked.verb} resource {quote(resource)} "
        f"in API group {quote(asked.group)} {where}"
    )
    why = _with(why, reason)
    what = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f" {quote(asked.name)}" if asked.name else ""
    details = StatusDetails(name=asked.name, group=asked.group, kind=asked.resource)
    return Forbidden(f"{what}{named} is forbidden: {why}", details)
