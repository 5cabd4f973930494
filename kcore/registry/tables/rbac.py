"""Tables of who may do what; roles themselves show nothing but their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import rbac_v1
from kcore.registry.tables.printer import AGE, NAME, Column, Printer, age, wide

__all__ = ["RBAC"]


def _binding(o: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding, now: float) -> Sequence[Any]:
    subjects = o.subjects
    return (
        o.metadata.name,
        f"{o.role_ref.kind}/{o.role_ref.name}",
        age(o, now),
        ", ".join(s.name for s in subjects if s.kind == "User"),
        ", ".join(s.name for s in subjects if s.kind == "Group"),
        ", ".join(f"{s.namespace}/{s.name}" for s in subjects if s.kind == "ServiceAccount"),
    )


_BINDING = Printer(
    (
        NAME,
        Column("Role", "The role that is given."),
        AGE,
        wide("Users", "The users who have it."),
        wide("Groups", "The groups that have it."),
        wide("ServiceAccounts", "The service accounts that have it."),
    ),
    _binding,
)

RBAC: Mapping[type[Any], Printer] = {rbac_v1.RoleBinding: _BINDING, rbac_v1.ClusterRoleBinding: _BINDING}
