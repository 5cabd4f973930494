"""What a node may do: read what the pods that run on it need, and report on itself and on them.

`identity` says which node a user is, `graph` which objects are related to which node, `authorizer` decides (upstream's
Node authorizer). What it can not see, the content of what a node writes, is the admission plugin NodeRestriction's.
"""

from __future__ import annotations

from kcore.registry.node_access.authorizer import NodeAuthorizer
from kcore.registry.node_access.identity import is_node, node_of

__all__ = ["NodeAuthorizer", "is_node", "node_of"]
