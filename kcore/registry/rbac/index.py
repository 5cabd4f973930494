"""Bindings by subject, kept current from the store's watch channels.

Nothing is copied but the bindings' subjects: roles are read from the store when a subject's tables are made, which
happens at its first question after something that concerns it has changed. A question catches up with the store
before it is answered, so a grant counts from the moment in which it can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from kcore.api.field import quote
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject
from kcore.registry.rbac.table import Table
from kcore.store.store import Channel, Compacted, Event, EventType, Record, Store

__all__ = ["CLUSTER", "Index", "Scopes", "SubjectKey", "group_key", "user_key"]

_GROUP = "rbac.authorization.k8s.io"
_ROLES = f"roles.{_GROUP}/"
_CLUSTER_ROLES = f"clusterroles.{_GROUP}/"
_ROLE_BINDINGS = f"rolebindings.{_GROUP}/"
_CLUSTER_ROLE_BINDINGS = f"clusterrolebindings.{_GROUP}/"

CLUSTER = ""
"""The scope of ClusterRoleBindings; the others are namespaces."""

SubjectKey = tuple[str, str]

_K = TypeVar("_K")


def user_key(name: str) -> SubjectKey:
    return "User", name


def group_key(name: str) -> SubjectKey:
    return "Group", name


class Scope(NamedTuple):
    """What one subject holds in the cluster or in a namespace."""

    table: Table
    missing: list[str]
    """The roles that are bound and do not exist."""


Scopes = Mapping[str, Scope]


class _Binding(NamedTuple):
    namespace: str
    title: str
    """`RoleBinding "b/ns" of Role "r"`"""

    role: str
    """Its store key."""

    missing: str
    """What is said when the role does not exist."""

    subjects: Mapping[SubjectKey, str]
    """With how each is called."""


class Index:
    """All bindings of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1
        self._channels: Sequence[Channel] = ()
        self._bindings: dict[str, _Binding] = {}
        self._by_subject: dict[SubjectKey, set[str]] = {}
        self._by_role: dict[str, set[str]] = {}
        self._scopes: dict[SubjectKey, Scopes] = {}

    def follow(self) -> None:
        """Catch up with the store."""
        revision = self._store.revision
        if revision == self._seen:
            return
        try:
            for channel in self._channels:
                for event in channel.take_nowait():
                    self._apply(event)
        except Compacted:
            self._channels = ()
        if not self._channels:
            self._rebuild()
        self._seen = revision

    def scopes(self, subject: SubjectKey) -> Scopes | None:
        """What a subject holds, by scope; None: nothing."""
        found = self._scopes.get(subject)
        if found is None and subject in self._by_subject:
            found = self._scopes[subject] = self._made(subject)
        return found

    def granted(self, subjects: Sequence[SubjectKey], namespace: str) -> Iterator[tuple[Sequence[PolicyRule], str]]:
        """The rules of each binding that concerns a subject, those of the cluster first; or what is missing."""
        keys = {key for subject in subjects for key in self._by_subject.get(subject, ())}
        bindings = [(key, self._bindings[key]) for key in keys]
        wanted = [(b.namespace, key, b) for key, b in bindings if b.namespace in (CLUSTER, namespace)]
        for _, _, binding in sorted(wanted, key=lambda w: w[:2]):
            rules = self._rules(binding.role)
            yield rules or (), "" if rules is not None else binding.missing

    def _rules(self, role: str) -> Sequence[PolicyRule] | None:
        record = self._store.get(role)
        if record is None:
            return None
        found: Role | ClusterRole = record.obj
        return found.rules or ()

    def _made(self, subject: SubjectKey) -> Scopes:
        scopes: dict[str, Scope] = {}
        for key in sorted(self._by_subject[subject]):
            binding = self._bindings[key]
            scope = scopes.setdefault(binding.namespace, Scope(Table(), []))
            rules = self._rules(binding.role)
            if rules is None:
                scope.missing.append(binding.missing)
            else:
                scope.table.add(rules, f"RBAC: allowed by {binding.title} to {binding.subjects[subject]}")
        return scopes

    def _rebuild(self) -> None:
        for known in (self._bindings, self._by_subject, self._by_role, self._scopes):
            known.clear()
        since = self._store.revision
        prefixes = (_ROLES, _CLUSTER_ROLES, _ROLE_BINDINGS, _CLUSTER_ROLE_BINDINGS)
        self._channels = [self._store.watch(prefix, since=since) for prefix in prefixes]
        for prefix in (_ROLE_BINDINGS, _CLUSTER_ROLE_BINDINGS):
            for record in self._store.range(prefix).records:
                self._add(record)

    def _apply(self, event: Event) -> None:
        key = event.record.key
        if key.startswith((_ROLES, _CLUSTER_ROLES)):
            for binding in self._by_role.get(key, ()):
                self._forget_scopes(self._bindings[binding])
            return
        self._remove(key)
        if event.type is not EventType.DELETED:
            self._add(event.record)

    def _add(self, record: Record) -> None:
        binding = _read(record.obj)
        self._bindings[record.key] = binding
        self._by_role.setdefault(binding.role, set()).add(record.key)
        for subject in binding.subjects:
            self._by_subject.setdefault(subject, set()).add(record.key)
        self._forget_scopes(binding)

    def _remove(self, key: str) -> None:
        binding = self._bindings.pop(key, None)
        if binding is None:
            return
        self._forget_scopes(binding)
        _discard(self._by_role, binding.role, key)
        for subject in binding.subjects:
            _discard(self._by_subject, subject, key)

    def _forget_scopes(self, binding: _Binding) -> None:
        for subject in binding.subjects:
            self._scopes.pop(subject, None)


def _discard(sets: dict[_K, set[str]], key: _K, value: str) -> None:
    sets[key].discard(value)
    if not sets[key]:
        del sets[key]


def _role_key(binding: RoleBinding | ClusterRoleBinding) -> str:
    ref = binding.role_ref
    return f"{_ROLES}{binding.metadata.namespace}/{ref.name}" if ref.kind == "Role" else f"{_CLUSTER_ROLES}{ref.name}"


def _read(binding: RoleBinding | ClusterRoleBinding) -> _Binding:
    namespace, name, ref = binding.metadata.namespace, binding.metadata.name, binding.role_ref
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    named = quote(f"{name}/{namespace}" if namespace else name)
    return _Binding(
        namespace,
        f"{kind} {named} of {ref.kind} {quote(ref.name)}",
        _role_key(binding),
        f"{ref.kind.lower()}.{_GROUP} {quote(ref.name)} not found",
        dict(reversed([_subject(s, namespace) for s in binding.subjects])),  # of equal subjects the first is told
    )


def _subject(subject: Subject, namespace: str) -> tuple[SubjectKey, str]:
    if subject.kind == "ServiceAccount":
        home = subject.namespace or namespace
        called = f"{subject.kind} {quote(f'{subject.name}/{home}')}"
        return user_key(f"system:serviceaccount:{home}:{subject.name}"), called
    return (subject.kind, subject.name), f"{subject.kind} {quote(subject.name)}"
