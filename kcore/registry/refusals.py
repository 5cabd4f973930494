"""What is said to who may not do something, in upstream's words."""

from __future__ import annotations

from kcore.api.errors import Forbidden
from kcore.api.field import quote
from kcore.api.meta_v1 import StatusDetails
from kcore.registry.access import Attributes, Authorizer

__all__ = ["require"]


def require(authorizer: Authorizer, attributes: Attributes) -> None:
    """Raises Forbidden unless the authorizer allows it."""
    if not authorizer.allowed(attributes):
        reason = authorizer.decide(attributes).reason
        raise _forbidden_path(attributes, reason) if attributes.path else _forbidden(attributes, reason)


def _with(why: str, reason: str) -> str:
    """A refusal, and what went wrong while looking for a grant."""
    return f"{why}: {reason}" if reason else why


def _forbidden_path(asked: Attributes, reason: str) -> Forbidden:
    why = _with(f"User {quote(asked.user.name)} cannot {asked.verb} path {quote(asked.path)}", reason)
    return Forbidden(f"forbidden: {why}", StatusDetails())


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
