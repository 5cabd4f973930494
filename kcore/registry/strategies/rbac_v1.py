"""The rbac.authorization.k8s.io group. Whoever writes here must hold what they grant, or the verb that says otherwise:
`escalate` on a role, `bind` on the role that a binding refers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kcore.api.errors import Forbidden, NotFound
from kcore.api.names import path_segment_name
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding
from kcore.registry.access import EVERYTHING, Attributes, is_master
from kcore.registry.defaults.rbac_v1 import default_role, default_role_binding
from kcore.registry.rbac.covering import escalation
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.strategy import Settle
from kcore.registry.validation.rbac_v1 import (
    validate_cluster_role,
    validate_cluster_role_binding,
    validate_cluster_role_binding_update,
    validate_cluster_role_update,
    validate_role,
    validate_role_binding,
    validate_role_binding_update,
    validate_role_update,
)

__all__ = ["STRATEGIES"]


class _Granting(Ruled):
    """What roles and bindings share: the checks run where upstream's do, before the rules of the kind."""

    name_rule = staticmethod(path_segment_name)
    create_on_update = True

    def begin(self, req: Request, new: Any, old: Any | None) -> Settle | None:
        if not (is_master(req.user) or self._may_grant_anything(req, new) or _leaves_as_is(new, old)):
            self._check_grant(req, new, old)
        return None

    def _may_grant_anything(self, req: Request, new: Any) -> bool:
        raise NotImplementedError

    def _check_grant(self, req: Request, new: Any, old: Any | None) -> None:
        """Raises Forbidden, or NotFound where there is nothing to grant."""
        raise NotImplementedError

    def _refuse_escalation(self, req: Request, new: Any, rules: Sequence[PolicyRule]) -> None:
        why = escalation(self.env.authorizer, req.user, rules, req.namespace)
        if why:
            raise Forbidden.of(req.kind, new.metadata.name, why)

    def _allowed(self, req: Request, verb: str, resource: str, name: str) -> bool:
        return self.env.authorizer.allowed(
            Attributes(req.user, verb, self.kind.group, resource, namespace=req.namespace, name=name)
        )


class _GrantingRole(_Granting):
    def _may_grant_anything(self, req: Request, new: Any) -> bool:
        return self._allowed(req, "escalate", req.kind.plural, "" if req.verb == "create" else req.name)

    def _check_grant(self, req: Request, new: Any, old: Any | None) -> None:
        self._refuse_escalation(req, new, new.rules or ())


class RoleStrategy(_GrantingRole):
    type = Role
    rules = Rules(default_role, validate_role, validate_role_update)


class ClusterRoleStrategy(_GrantingRole):
    type = ClusterRole
    rules = Rules(default_role, validate_cluster_role, validate_cluster_role_update)

    def _check_grant(self, req: Request, new: Any, old: Any | None) -> None:
        """An aggregation rule can gather anything, so it takes everything to write one."""
        super()._check_grant(req, new, old)
        aggregates = new.aggregation_rule is not None or (old is not None and old.aggregation_rule is not None)
        if aggregates and escalation(self.env.authorizer, req.user, EVERYTHING, req.namespace):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise Forbidden.of(req.kind, new.metadata.name, why)


class _GrantingBinding(_Granting):
    def _may_grant_anything(self, req: Request, new: Any) -> bool:
        ref = new.role_ref
        return self._allowed(req, "bind", "roles" if ref.kind == "Role" else "clusterroles", ref.name)

    def _check_grant(self, req: Request, new: Any, old: Any | None) -> None:
        ref = new.role_ref
        kind = self.env.scheme.of(Role if ref.kind == "Role" else ClusterRole)
        record = self.env.store.get(kind.key(req.namespace, ref.name))
        if record is None:
            raise NotFound.of(req.kind, ref.name)  # upstream names the binding's resource here
        self._refuse_escalation(req, new, record.obj.rules or ())


class RoleBindingStrategy(_GrantingBinding):
    type = RoleBinding
    rules = Rules(default_role_binding, validate_role_binding, validate_role_binding_update)


class ClusterRoleBindingStrategy(_GrantingBinding):
    type = ClusterRoleBinding
    rules = Rules(default_role_binding, validate_cluster_role_binding, validate_cluster_role_binding_update)


def _leaves_as_is(new: Any, old: Any | None) -> bool:
    """Whether an update changes only what garbage collection is about, which anyone who may update may do."""
    if old is None:
        return False
    was = old.metadata
    metadata = replace(
        new.metadata,
        owner_references=was.owner_references,
        finalizers=was.finalizers,
        managed_fields=was.managed_fields,
    )
    return bool(replace(new, metadata=metadata) == old)


STRATEGIES = (RoleStrategy, ClusterRoleStrategy, RoleBindingStrategy, ClusterRoleBindingStrategy)
