"""`--authorization-mode Node`: a kubelet reads what its pods need, and reports on its node and its pods.

What is the same for all nodes is the role `system:node`; what depends on the node is decided here by what is related
to it. The words of refusals are upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kcore.api.field import quote
from kcore.api.scheme import Scheme
from kcore.api.selectors import SelectorError, parse_field_selector
from kcore.registry.access import NO_OPINION, Attributes, Decision, Granted
from kcore.registry.node_access.graph import Graph
from kcore.registry.node_access.identity import is_node, node_of
from kcore.registry.rbac.bootstrap import NODE_RULES
from kcore.registry.rbac.table import Table, resource_keys
from kcore.registry.request import User
from kcore.store.store import Store

__all__ = ["NodeAuthorizer"]

_ALLOWED = Decision(True)
_READING = frozenset(("get", "list", "watch"))
_WRITING = frozenset(("get", "create", "update", "patch", "delete"))
_COLLECTING = frozenset(("list", "watch", "deletecollection"))
_LEASES = "kube-node-lease"

_Rule = Callable[["NodeAuthorizer", str, Attributes], Decision]


class NodeAuthorizer:
    """Has an opinion on nodes only."""

    def __init__(self, store: Store, scheme: Scheme) -> None:
        self._graph = Graph(store, scheme)
        self._common = Table()
        self._common.add(NODE_RULES, "")

    def allowed(self, attributes: Attributes) -> bool:
        return is_node(attributes.user) and self.decide(attributes).allowed

    def decide(self, attributes: Attributes) -> Decision:
        user = attributes.user
        if not is_node(user):
            return NO_OPINION
        node = node_of(user)
        if not node:
            return Decision(False, f"unknown node for user {quote(user.name)}")
        rule = None if attributes.path else _RULES.get((attributes.group, attributes.resource))
        return rule(self, node, attributes) if rule is not None else self._by_role(attributes)

    def rules(self, user: User, namespace: str) -> Granted:
        if not is_node(user):
            return Granted()
        return Granted(errors=("node authorizer does not support user rule resolution",), incomplete=True)

    def _by_role(self, asked: Attributes) -> Decision:
        if asked.path:
            return NO_OPINION
        keys = resource_keys(asked.verb, asked.group, asked.resource, asked.subresource)
        return _ALLOWED if self._common.resource(keys, asked.name) is not None else NO_OPINION

    def _related(self, node: str, asked: Attributes) -> Decision:
        if not asked.name:
            return Decision(False, "No Object name found")
        if self._graph.reaches(node, asked.resource, asked.namespace, asked.name):
            return _ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _get(self, node: str, asked: Attributes) -> Decision:
        if asked.verb != "get":
            return Decision(False, "can only get individual resources of this type")
        if asked.subresource:
            return Decision(False, "cannot get subresource")
        return self._related(node, asked)

    def _read(self, node: str, asked: Attributes) -> Decision:
        """Secrets and ConfigMaps, which kubelets watch one by one."""
        if asked.verb not in _READING:
            return Decision(False, "can only read resources of this type")
        if asked.subresource:
            return Decision(False, "cannot read subresource")
        if not asked.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return self._related(node, asked)

    def _claim(self, node: str, asked: Attributes) -> Decision:
        if asked.subresource != "status":
            return self._get(node, asked)
        if asked.verb not in ("update", "patch"):
            return Decision(False, "can only get/update/patch this type")
        return self._related(node, asked)

    def _token(self, node: str, asked: Attributes) -> Decision:
        if asked.verb != "create" or not asked.name:
            return Decision(False, "can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return Decision(False, "can only create token subresource of serviceaccount")
        return self._related(node, asked)

    def _lease(self, node: str, asked: Attributes) -> Decision:
        if asked.verb not in _WRITING:
            return Decision(False, "can only get, create, update, patch, or delete a node lease")
        if asked.namespace != _LEASES:
            return Decision(False, f"can only access leases in the {quote(_LEASES)} system namespace")
        # A create does not tell the name yet: there it is NodeRestriction that looks.
        if asked.verb != "create" and asked.name != node:
            return Decision(False, "can only access node lease with the same name as the requesting node")
        return _ALLOWED

    def _csi_node(self, node: str, asked: Attributes) -> Decision:
        if asked.verb not in _WRITING:
            return Decision(False, "can only get, create, update, patch, or delete a CSINode")
        if asked.subresource:
            return Decision(False, "cannot authorize CSINode subresources")
        if asked.verb != "create" and asked.name != node:
            return Decision(False, "can only access CSINode with the same name as the requesting node")
        return _ALLOWED

    def _resource_slice(self, node: str, asked: Attributes) -> Decision:
        if asked.subresource:
            return Decision(False, "cannot authorize ResourceSlice subresources")
        if asked.verb == "create":
            return _ALLOWED
        if asked.verb in _COLLECTING:
            if _selects(asked, "nodeName", node):
                return _ALLOWED
            return Decision(False, "can only list/watch/deletecollection resourceslices with nodeName field selector")
        if asked.verb in _WRITING:
            return self._related(node, asked)
        verbs = "get, watch, list, create, update, patch, delete, deletecollection"
        return Decision(False, f"only the following verbs are allowed for a ResourceSlice: {verbs}")

    def _node(self, node: str, asked: Attributes) -> Decision:
        if asked.subresource == "status":
            return _ALLOWED if asked.verb in ("update", "patch") else NO_OPINION
        if asked.subresource:
            return NO_OPINION
        if asked.verb in ("create", "update", "patch"):
            return _ALLOWED  # which node it writes is NodeRestriction's question
        if asked.verb not in _READING:
            return NO_OPINION
        if asked.name == node:
            return _ALLOWED
        what = f"'{asked.name}'" if asked.name else "all nodes"
        return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")

    def _pod(self, node: str, asked: Attributes) -> Decision:
        verb = asked.verb
        if asked.subresource == "status":
            return _ALLOWED if verb in ("update", "patch") else NO_OPINION
        if asked.subresource == "eviction":
            return _ALLOWED if verb == "create" else NO_OPINION
        if asked.subresource:
            return NO_OPINION
        if verb == "get":
            return self._related(node, asked)
        if verb in ("list", "watch"):
            if _selects(asked, "spec.nodeName", node):
                return _ALLOWED
            if asked.name:
                return self._related(node, asked)
            return Decision(False, "can only list/watch pods with spec.nodeName field selector")
        return _ALLOWED if verb in ("create", "delete") else NO_OPINION


def _selects(asked: Attributes, field: str, value: str) -> bool:
    """Whether the question is only about objects with that value."""
    try:
        return parse_field_selector(asked.field_selector).exact(field) == value
    except SelectorError:
        return False


_RULES: Mapping[tuple[str, str], _Rule] = {
    ("", "secrets"): NodeAuthorizer._read,
    ("", "configmaps"): NodeAuthorizer._read,
    ("", "persistentvolumeclaims"): NodeAuthorizer._claim,
    ("", "persistentvolumes"): NodeAuthorizer._get,
    ("resource.k8s.io", "resourceclaims"): NodeAuthorizer._get,
    ("storage.k8s.io", "volumeattachments"): NodeAuthorizer._get,
    ("", "serviceaccounts"): NodeAuthorizer._token,
    ("coordination.k8s.io", "leases"): NodeAuthorizer._lease,
    ("storage.k8s.io", "csinodes"): NodeAuthorizer._csi_node,
    ("resource.k8s.io", "resourceslices"): NodeAuthorizer._resource_slice,
    ("", "nodes"): NodeAuthorizer._node,
    ("", "pods"): NodeAuthorizer._pod,
}
