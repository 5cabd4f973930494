"""A ClusterRole with an aggregation rule has the rules of all that its selectors find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from kcore.api.object import Object
from kcore.api.rbac_v1 import ClusterRole, PolicyRule
from kcore.api.selectors import selector_from_struct
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context

__all__ = ["ClusterRoleAggregationController", "aggregated"]


class ClusterRoleAggregationController(Controller):
    """Any change of a ClusterRole may concern every role that aggregates; there are few of those."""

    name = "clusterrole-aggregation-controller"
    root = ClusterRole
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._roles = context.informers.of(ClusterRole)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ClusterRole: self._changed}

    def _changed(self, old: ClusterRole | None, new: ClusterRole | None) -> Iterator[str]:
        if (
            old is not None
            and new is not None
            and old.rules == new.rules
            and old.metadata.labels == new.metadata.labels
        ):
            return
        for role in self._roles.values():
            if role.aggregation_rule is not None:
                yield role.metadata.name

    async def reconcile(self, key: str) -> None:
        role = self._roles.get(key)
        if role is None or role.aggregation_rule is None:
            return
        rules = aggregated(role, self._roles.values())
        if rules != (role.rules or ()):
            await self._client.update(replace(role, rules=rules or None))


def aggregated(role: ClusterRole, others: Iterable[ClusterRole]) -> tuple[PolicyRule, ...]:
    """The rules of the roles that each selector finds, by name; each rule once."""
    assert role.aggregation_rule is not None
    by_name = sorted(others, key=lambda r: r.metadata.name)
    rules: list[PolicyRule] = []
    for struct in role.aggregation_rule.cluster_role_selectors:
        selector = selector_from_struct(struct)
        for other in by_name:
            if other.metadata.name != role.metadata.name and selector.matches(other.metadata.labels):
                rules.extend(rule for rule in other.rules or () if rule not in rules)
    return tuple(rules)
