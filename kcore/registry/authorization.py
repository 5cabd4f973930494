"""`--authorization-mode`: which authorizers decide, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kcore.api.scheme import Scheme
from kcore.registry.access import AlwaysAllow, AlwaysDeny, Authorizer, AuthorizerUnion, Masters
from kcore.registry.node_access import NodeAuthorizer
from kcore.registry.rbac import RbacAuthorizer
from kcore.store.store import Store

__all__ = ["DEFAULT_MODES", "MODES", "UnknownMode", "authorizer"]

MODES: Mapping[str, Callable[[Store, Scheme], Authorizer]] = {
    "Node": NodeAuthorizer,
    "RBAC": lambda store, scheme: RbacAuthorizer(store),
    "AlwaysAllow": lambda store, scheme: AlwaysAllow(),
    "AlwaysDeny": lambda store, scheme: AlwaysDeny(),
}
DEFAULT_MODES = ("Node", "RBAC")


class UnknownMode(ValueError):
    """No authorizer is called so; the message is for the user."""


def authorizer(modes: Sequence[str], store: Store, scheme: Scheme) -> Authorizer:
    """Masters first, then these in turn. Raises UnknownMode."""
    if strangers := [mode for mode in modes if mode not in MODES]:
        names = ", ".join(MODES)
        raise UnknownMode(f"--authorization-mode knows no {', '.join(strangers)}; there are {names}")
    if not modes or len(set(modes)) < len(modes):
        raise UnknownMode("--authorization-mode must name at least one mode, and none twice")
    return AuthorizerUnion(Masters(), *(MODES[mode](store, scheme) for mode in modes))
