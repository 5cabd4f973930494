"""The rbac.authorization.k8s.io group."""

from __future__ import annotations

from kcore.api.names import path_segment_name
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kcore.registry.defaults.rbac_v1 import default_role, default_role_binding
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.rbac_v1 import (
    validate_cluster_role,
    validate_cluster_role_binding,
    validate_cluster_role_binding_update,
    validate_role,
    validate_role_binding,
    validate_role_binding_update,
)

__all__ = ["STRATEGIES"]


class RoleStrategy(Ruled):
    type = Role
    name_rule = staticmethod(path_segment_name)
    create_on_update = True
    rules = Rules(default_role, validate_role)


class ClusterRoleStrategy(Ruled):
    type = ClusterRole
    name_rule = staticmethod(path_segment_name)
    create_on_update = True
    rules = Rules(default_role, validate_cluster_role)


class RoleBindingStrategy(Ruled):
    type = RoleBinding
    name_rule = staticmethod(path_segment_name)
    create_on_update = True
    rules = Rules(default_role_binding, validate_role_binding, validate_role_binding_update)


class ClusterRoleBindingStrategy(Ruled):
    type = ClusterRoleBinding
    name_rule = staticmethod(path_segment_name)
    create_on_update = True
    rules = Rules(default_role_binding, validate_cluster_role_binding, validate_cluster_role_binding_update)


STRATEGIES = (RoleStrategy, ClusterRoleStrategy, RoleBindingStrategy, ClusterRoleBindingStrategy)
