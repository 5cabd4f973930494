"""Nodes write only what is theirs: their own Node, Lease and CSINode, the status of their pods, and tokens for them.

This is the part of what a node may do that depends on what it writes; the rest is the Node authorizer's. On by default,
as wherever that authorizer is used (upstream's flags have it off, every installer switches it on).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import Node, PersistentVolumeClaim, Pod, ServiceAccount
from kcore.api.errors import NotFound
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.pod_references import MIRROR_ANNOTATION, pod_references
from kcore.api.resource_v1 import ResourceSlice
from kcore.api.storage_v1 import CSIDriver, CSINode
from kcore.registry.access import Attributes
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.signers import named
from kcore.registry.node_access.identity import is_node, node_of
from kcore.registry.request import Request

__all__ = ["NodeRestriction"]

_LEASES = "kube-node-lease"
_KUBELET_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "node.kubernetes.io/windows-build",
    )
)
_KUBELET_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_NODE_SIGNERS = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
_RESTRICTED_DOMAIN = "node-restriction.kubernetes.io"


class NodeRestriction(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type in _RULES and operation is not Operation.CONNECT

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if not is_node(req.user):
            return
        node = node_of(req.user)
        if not node:
            why = f"could not determine node from user {quote(req.user.name)}"
        else:
            why = _RULES[req.kind.type](self, node, req, operation, obj, old)
        if why:
            raise forbidden(req, obj if obj is not None else old, why)

    # Each of the following says why a node may not do this; "" where it may.

    def _pod(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        named = quote(node)
        if req.subresource == "status":
            return _pod_status(named, node, obj, old)
        if req.subresource == "eviction":
            evicted: Pod = self._standing(Pod, req.namespace, req.name)
            if evicted.spec.node_name != node:
                return f"node {node} can only evict pods with spec.nodeName set to itself"
            return ""
        if req.subresource:
            return f"unexpected pod subresource {quote(req.subresource)}, only 'status' and 'eviction' are allowed"
        if operation is Operation.CREATE:
            return self._mirror_pod(node, obj)
        if operation is Operation.DELETE:
            if old.spec.node_name != node:
                return f"node {named} can only delete pods with spec.nodeName set to itself"
            return ""
        return f"unexpected operation {quote(operation.value)}, node {named} can only create and delete mirror pods"

    def _mirror_pod(self, node: str, pod: Pod) -> str:
        named = quote(node)
        if MIRROR_ANNOTATION not in pod.metadata.annotations:
            missing = f"pod does not have {quote(MIRROR_ANNOTATION)} annotation"
            return f"{missing}, node {named} can only create mirror pods"
        if pod.spec.node_name != node:
            return f"node {named} can only create pods with spec.nodeName set to itself"
        owners = pod.metadata.owner_references
        if len(owners) > 1:
            return f"node {named} can only create pods with a single owner reference set to itself"
        if not owners or (owners[0].api_version, owners[0].kind, owners[0].name) != ("v1", "Node", node):
            return f"node {named} can only create pods with an owner reference set to itself"
        if not owners[0].controller:
            return f"node {named} can only create pods with a controller owner reference set to itself"
        if owners[0].block_owner_deletion:
            return f"node {named} must not set blockOwnerDeletion on an owner reference"
        uid = self._standing(Node, "", node).metadata.uid
        if owners[0].uid != uid:
            return f"node {node} UID mismatch: expected {owners[0].uid} got {uid}"
        found = next(_named_by(pod), "")
        return f"node {named} can not create pods that reference {found}" if found else ""

    def _node(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        name = req.name or obj.metadata.name
        if name != node:
            return f"node {quote(node)} is not allowed to modify node {quote(name)}"
        if operation is Operation.DELETE:
            return ""
        if operation is Operation.CREATE:
            labels = _forbidden_labels(obj.metadata.labels, {})
            return f"node {quote(node)} is not allowed to set the following labels: {labels}" if labels else ""
        if obj.spec.taints != old.spec.taints:
            return f"node {quote(node)} is not allowed to modify taints"
        if obj.metadata.owner_references != old.metadata.owner_references:
            return f"node {quote(node)} is not allowed to modify ownerReferences"
        labels = _forbidden_labels(obj.metadata.labels, old.metadata.labels)
        return f"is not allowed to modify labels: {labels}" if labels else ""

    def _claim(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        if req.subresource != "status":
            return "may only update PVC status"
        if operation is not Operation.UPDATE:
            return f"unexpected operation {quote(operation.value)}"
        if _without_volume_facts(obj) != _without_volume_facts(old):
            allowed = "status.quantity and status.conditions"
            return f"node {quote(node)} is not allowed to update fields other than {allowed}"
        return ""

    def _account(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        """A node asks for tokens of its pods, for the audiences that these want."""
        if operation is not Operation.CREATE or req.subresource != "token":
            return ""
        ref = obj.spec.bound_object_ref
        if ref is None or ref.api_version != "v1" or ref.kind != "Pod" or not ref.name:
            return "node requested token not bound to a pod"
        if not ref.uid:
            return "node requested token with a pod binding without a uid"
        pod: Pod = self._standing(Pod, req.namespace, ref.name)
        if ref.uid != pod.metadata.uid:
            gone = "does not match the UID in record. The object might have been deleted and then recreated"
            return f"the UID in the bound object reference ({ref.uid}) {gone}"
        if pod.spec.node_name != node:
            return "node requested token bound to a pod scheduled on a different node"
        return self._audience(req, obj.spec.audiences, pod)

    def _audience(self, req: Request, audiences: tuple[str, ...], pod: Pod) -> str:
        own = self.env.tokens.audiences if self.env.tokens is not None else ()
        if audiences == own:  # what was filled in where none was asked for
            audiences = ()
        if len(audiences) > 1:
            return "node may only request 0 or 1 audiences"
        wanted = audiences[0] if audiences else ""
        if wanted in self._audiences(pod):
            return ""
        verb = "request-serviceaccounts-token-audience"
        if self.env.authorizer.allowed(Attributes(req.user, verb, "", wanted, "", req.namespace, req.name)):
            return ""
        missing = f"audience {quote(wanted)} not found in pod spec volume"
        return f"{missing}, {req.user.name} is not authorized to request tokens for this audience"

    def _audiences(self, pod: Pod) -> Iterator[str]:
        """What the volumes of a pod want tokens for; "" is the API server itself."""
        for volume in pod.spec.volumes:
            for source in volume.projected.sources if volume.projected is not None else ():
                if source.service_account_token is not None:
                    yield source.service_account_token.audience
            if volume.csi is not None:
                driver = self.env.store.get(self.env.scheme.of(CSIDriver).key("", volume.csi.driver))
                for request in driver.obj.spec.token_requests if driver is not None else ():
                    yield request.audience

    def _lease(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        if req.namespace != _LEASES:
            return f"can only access leases in the {quote(_LEASES)} system namespace"
        return _own_name("node lease", node, req, obj)

    def _csi_node(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        return _own_name("CSINode", node, req, obj)

    def _signing_request(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        """A node asks for certificates of its own name only, where the signer is one of those for nodes."""
        if operation is not Operation.CREATE or req.subresource or obj.spec.signer_name not in _NODE_SIGNERS:
            return ""
        from cryptography.x509.oid import NameOID

        wanted = f"system:node:{node}"
        try:
            names = named(obj.spec.request, NameOID.COMMON_NAME)
        except ValueError as e:
            return f"unable to parse csr: {e}"
        return "" if names == [wanted] else f"can only create a node CSR with CN={wanted}"

    def _resource_slice(self, node: str, req: Request, operation: Operation, obj: Any, old: Any) -> str:
        written = obj if operation is Operation.CREATE else old
        if operation is Operation.UPDATE or written.spec.node_name == node:
            return ""
        verb = "create" if operation is Operation.CREATE else "delete"
        return f"can only {verb} ResourceSlice with the same NodeName as the requesting node"

    def _standing(self, type_: Any, namespace: str, name: str) -> Any:
        kind = self.env.scheme.of(type_)
        record = self.env.store.get(kind.key(namespace, name))
        if record is None:
            raise NotFound.of(kind, name)
        return record.obj


def _pod_status(named: str, node: str, pod: Pod, old: Pod) -> str:
    if old.spec.node_name != node:
        return f"node {named} can only update pod status for pods with spec.nodeName set to itself"
    if pod.metadata.labels != old.metadata.labels:
        return f"node {named} cannot update labels through pod status"
    if pod.status.resource_claim_statuses != old.status.resource_claim_statuses:
        return f"node {named} cannot update resource claim statues"
    if pod.status.extended_resource_claim_status != old.status.extended_resource_claim_status:
        return f"node {named} cannot update extended resource claim status"
    return ""


def _named_by(pod: Pod) -> Iterator[str]:
    """What a mirror pod names, in the words and the order of upstream's refusals."""
    references = {reference.resource for reference in pod_references(pod)}
    if "serviceaccounts" in references:
        yield "a service account"
    for resource in ("secrets", "configmaps"):
        if resource in references:
            yield resource
    for volume in pod.spec.volumes:
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.cluster_trust_bundle is not None:
                yield "clustertrustbundles"
    if "persistentvolumeclaims" in references:
        yield "persistentvolumeclaims"
    if pod.spec.resource_claims:
        yield "resourceclaims"


def _own_name(what: str, node: str, req: Request, obj: Any) -> str:
    name = req.name or obj.metadata.name
    return "" if name == node else f"can only access {what} with the same name as the requesting node"


def _forbidden_labels(labels: Mapping[str, str], old: Mapping[str, str]) -> str:
    """Which of the labels that change are not the node's own to set."""
    changed = {key for key in labels.keys() | old.keys() if labels.get(key) != old.get(key)}
    return ", ".join(sorted(key for key in changed if not _settable(key)))


def _settable(label: str) -> bool:
    domain = label.partition("/")[0] if "/" in label else ""
    if _within(domain, _RESTRICTED_DOMAIN):
        return False
    if not (_within(domain, "kubernetes.io") or _within(domain, "k8s.io")):
        return True
    return label in _KUBELET_LABELS or any(_within(domain, own) for own in _KUBELET_DOMAINS)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _without_volume_facts(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """A claim without what a kubelet finds out about its volume."""
    metadata = replace(claim.metadata, resource_version="", managed_fields=())
    facts: Any = {"capacity": {}, "conditions": (), "allocated_resources": {}, "allocated_resource_statuses": {}}
    return replace(claim, metadata=metadata, status=replace(claim.status, **facts))


_Rule = Callable[[NodeRestriction, str, Request, Operation, Any, Any], str]

_RULES: Mapping[Any, _Rule] = {
    Pod: NodeRestriction._pod,
    Node: NodeRestriction._node,
    PersistentVolumeClaim: NodeRestriction._claim,
    ServiceAccount: NodeRestriction._account,
    Lease: NodeRestriction._lease,
    CSINode: NodeRestriction._csi_node,
    CertificateSigningRequest: NodeRestriction._signing_request,
    ResourceSlice: NodeRestriction._resource_slice,
}
