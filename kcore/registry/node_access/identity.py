"""Which node a user is."""

from __future__ import annotations

from kcore.registry.request import User

__all__ = ["is_node", "node_of"]

_PREFIX = "system:node:"
_GROUP = "system:nodes"


def is_node(user: User) -> bool:
    return user.name.startswith(_PREFIX) and _GROUP in user.groups


def node_of(user: User) -> str:
    """The name of the node that a user is; "" for one that says it is a node, and not which."""
    return user.name.removeprefix(_PREFIX)
