"""Keeps the policy that every cluster begins with: at start what is missing of it is put back.

As in upstream nothing is taken away, and an object whose auto-update annotation says `false` is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from msgspec.structs import replace

from kcore.api.errors import AlreadyExists
from kcore.api.object import Object
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kcore.client.client import Client
from kcore.registry.rbac.bootstrap import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kcore.registry.rbac.covering import missing_rules
from kcore.registry.rbac.policy import AUTO_UPDATE

__all__ = ["ensure_bootstrap_policy", "restored_binding", "restored_role"]

T = TypeVar("T", bound=Object)


async def ensure_bootstrap_policy(client: Client) -> None:
    """Create what is absent and restore what is incomplete. Roles go first: bindings of absent ones grant nothing."""
    await _ensure(client, ClusterRole, CLUSTER_ROLES, restored_role)
    await _ensure(client, ClusterRoleBinding, CLUSTER_ROLE_BINDINGS, restored_binding)
    await _ensure(client, Role, ROLES, restored_role)
    await _ensure(client, RoleBinding, ROLE_BINDINGS, restored_binding)


async def _ensure(client: Client, kind: type[T], wanted: Sequence[T], restored: Callable[[Any, Any], Any]) -> None:
    """All at once, so that they share commits."""
    page = await client.list(kind)
    standing = {(o.metadata.namespace, o.metadata.name): o for o in page.items}
    async with anyio.create_task_group() as tasks:
        for obj in wanted:
            found = standing.get((obj.metadata.namespace, obj.metadata.name))
            if found is None:
                tasks.start_soon(_create, client, obj)
            elif found.metadata.annotations.get(AUTO_UPDATE) != "false":
                whole = restored(found, obj)
                if whole != found:
                    tasks.start_soon(_replace, client, found, whole)


async def _create(client: Client, obj: Object) -> None:
    try:
        await client.create(obj)
    except AlreadyExists:
        return


async def _replace(client: Client, standing: Any, whole: Any) -> None:
    """A binding's role can not be changed, so such a binding is made anew."""
    if getattr(standing, "role_ref", None) == getattr(whole, "role_ref", None):
        await client.update(whole)
        return
    await client.delete(type(standing), standing.metadata.name, standing.metadata.namespace)
    await _create(client, whole)


def restored_role(standing: Any, wanted: Any) -> Any:
    """The standing role with all that the wanted one allows or aggregates."""
    rules = (*(standing.rules or ()), *missing_rules(standing.rules or (), wanted.rules or ()))
    changes: dict[str, Any] = {"metadata": _labelled(standing, wanted), "rules": rules or None}
    if isinstance(wanted, ClusterRole) and wanted.aggregation_rule is not None:
        changes["aggregation_rule"] = wanted.aggregation_rule
        if standing.aggregation_rule is not None:
            had = standing.aggregation_rule.cluster_role_selectors
            selectors = (*had, *_absent(wanted.aggregation_rule.cluster_role_selectors, had))
            changes["aggregation_rule"] = replace(standing.aggregation_rule, cluster_role_selectors=selectors)
    return replace(standing, **changes)


def restored_binding(standing: Any, wanted: Any) -> Any:
    """The standing binding with all wanted subjects; the wanted one where it is about another role."""
    if standing.role_ref != wanted.role_ref:
        return wanted
    subjects = (*standing.subjects, *_absent(wanted.subjects, standing.subjects))
    return replace(standing, metadata=_labelled(standing, wanted), subjects=subjects)


def _labelled(standing: Any, wanted: Any) -> Any:
    metadata = standing.metadata
    return replace(
        metadata,
        labels=_merged(metadata.labels, wanted.metadata.labels),
        annotations=_merged(metadata.annotations, wanted.metadata.annotations),
    )


def _merged(standing: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str]:
    return {**standing, **wanted}


def _absent(wanted: Iterable[Any], standing: Sequence[Any]) -> list[Any]:
    return [each for each in wanted if each not in standing]
