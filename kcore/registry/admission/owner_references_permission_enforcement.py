"""Who makes an object somebody's dependent must be allowed to delete it: the collector will, with its owner.

And who blocks an owner's deletion must be allowed to set the owner's finalizers, which do the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kcore.api.kind import Kind, parse_api_version
from kcore.api.meta_v1 import OwnerReference
from kcore.registry.access import Attributes
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["OwnerReferencesPermissionEnforcement"]


class OwnerReferencesPermissionEnforcement(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        # Kubelets of old spoil the owners of pods in the status; nothing of it is stored.
        is_pod_status = kind.group_resource == "pods" and subresource == "status"
        return operation in (Operation.CREATE, Operation.UPDATE) and not is_pod_status

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        new = obj.metadata.owner_references
        standing: Sequence[OwnerReference] = old.metadata.owner_references if old is not None else ()
        if new == standing:
            return
        self._check_deletion(req, obj)
        for reference in newly_blocking(new, standing):
            self._check_owner(req, obj, reference)

    def _check_deletion(self, req: Request, obj: Any) -> None:
        kind, name = req.kind, req.name or obj.metadata.name
        wanted = Attributes(req.user, "delete", kind.group, kind.plural, req.subresource, req.namespace, name)
        decision = self.env.authorizer.decide(wanted)
        if not decision.allowed:
            why = f"cannot set an ownerRef on a resource you can't delete: {decision.reason}, <nil>"
            raise forbidden(req, obj, why)

    def _check_owner(self, req: Request, obj: Any, reference: OwnerReference) -> None:
        kind = self.env.scheme.find_kind(*parse_api_version(reference.api_version), reference.kind)
        if kind is None:
            what = f"cannot find RESTMapping for APIVersion {reference.api_version} Kind {reference.kind}"
            raise forbidden(req, obj, f"cannot set blockOwnerDeletion in this case because {what}")
        namespace = req.namespace if kind.namespaced else ""
        wanted = Attributes(req.user, "update", kind.group, kind.plural, "finalizers", namespace, reference.name)
        decision = self.env.authorizer.decide(wanted)
        if not decision.allowed:
            what = "an ownerReference refers to a resource you can't set finalizers on"
            raise forbidden(req, obj, f"cannot set blockOwnerDeletion if {what}: {decision.reason}, <nil>")


def newly_blocking(new: Sequence[OwnerReference], old: Sequence[OwnerReference]) -> Iterator[OwnerReference]:
    """References that block their owner's deletion and did not before."""
    blocked = {reference.uid for reference in old if reference.block_owner_deletion}
    return (r for r in new if r.block_owner_deletion and r.uid not in blocked)
