"""Defaults of the rbac.authorization.k8s.io group."""

from __future__ import annotations

from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kcore.api.schema import fill

__all__ = ["default_role", "default_role_binding"]

GROUP = "rbac.authorization.k8s.io"


def default_role(role: Role | ClusterRole) -> None:
    """No rules are stored as absent, and so read as null."""
    fill(role, rules=role.rules or None)


def default_role_binding(binding: RoleBinding | ClusterRoleBinding) -> None:
    if not binding.role_ref.api_group:
        fill(binding.role_ref, api_group=GROUP)
    for subject in binding.subjects:
        if not subject.api_group and subject.kind in ("User", "Group"):
            fill(subject, api_group=GROUP)
