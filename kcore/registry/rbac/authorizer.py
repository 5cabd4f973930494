"""The authorizer over the bindings in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcore.registry.access import Attributes, Decision, Granted
from kcore.registry.rbac.index import CLUSTER, Index, Scopes, SubjectKey, group_key, user_key
from kcore.registry.rbac.table import resource_keys
from kcore.registry.request import User
from kcore.store.store import Store

__all__ = ["RbacAuthorizer"]


class RbacAuthorizer:
    """`--authorization-mode RBAC`."""

    def __init__(self, store: Store) -> None:
        self._index = Index(store)

    def allowed(self, attributes: Attributes) -> bool:
        return self._reason(attributes) is not None

    def decide(self, attributes: Attributes) -> Decision:
        reason = self._reason(attributes)
        if reason is not None:
            return Decision(True, reason)
        missing = self._missing(attributes)
        return Decision(False, f"RBAC: {_joined(missing)}" if missing else "")

    def rules(self, user: User, namespace: str) -> Granted:
        self._index.follow()
        granted = list(self._index.granted(_subjects(user), namespace))
        rules = [rule for rules, _ in granted for rule in rules]
        return Granted(rules, [missing for _, missing in granted if missing])

    def _reason(self, asked: Attributes) -> str | None:
        """Which grant allows it. Grants of the whole cluster are looked at first, as upstream does."""
        held = self._held(asked.user)
        if asked.path:
            return _first(scopes[CLUSTER].table.path(asked.verb, asked.path) for scopes in held if CLUSTER in scopes)
        keys = resource_keys(asked.verb, asked.group, asked.resource, asked.subresource)
        for place in _places(asked):
            for scopes in held:
                scope = scopes.get(place)
                if scope is not None:
                    reason = scope.table.resource(keys, asked.name)
                    if reason is not None:
                        return reason
        return None

    def _missing(self, asked: Attributes) -> Sequence[str]:
        held = self._held(asked.user)
        missing = [m for place in _places(asked) for s in held if place in s for m in s[place].missing]
        return list(dict.fromkeys(missing))

    def _held(self, user: User) -> Sequence[Scopes]:
        self._index.follow()
        scopes = self._index.scopes
        return [found for subject in _subjects(user) if (found := scopes(subject)) is not None]


def _places(asked: Attributes) -> tuple[str, ...]:
    return (CLUSTER, asked.namespace) if asked.namespace and not asked.path else (CLUSTER,)


def _subjects(user: User) -> Sequence[SubjectKey]:
    return [user_key(user.name), *map(group_key, user.groups)]


def _first(reasons: Iterator[str | None]) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)


def _joined(errors: Sequence[str]) -> str:
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
