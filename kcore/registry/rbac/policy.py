"""How the bootstrap policy is written down: one line a rule, words separated by spaces.

As in upstream every list of a rule is sorted, so that the stored roles read the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.rbac_v1 import (
    AggregationRule,
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
)

__all__ = [
    "AUTO_UPDATE",
    "CORE",
    "EVENTS",
    "READ",
    "READ_WRITE",
    "WRITE",
    "account",
    "allow",
    "allow_paths",
    "bind_cluster_role",
    "bind_role",
    "cluster_role",
    "controllers",
    "group",
    "role",
    "user",
]

RBAC = "rbac.authorization.k8s.io"
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
CORE = "core"
"""Stands for the group whose name is empty."""

READ = "get list watch"
WRITE = "create update patch delete deletecollection"
READ_WRITE = f"{READ} {WRITE}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.split()))


def allow(verbs: str, groups: str, resources: str, names: str = "") -> PolicyRule:
    """`allow(READ, CORE, "pods pods/log")`."""
    return PolicyRule(
        verbs=_words(verbs),
        api_groups=tuple(sorted("" if word == CORE else word for word in groups.split())),
        resources=_words(resources),
        resource_names=_words(names),
    )


def allow_paths(verbs: str, paths: str) -> PolicyRule:
    return PolicyRule(verbs=_words(verbs), non_resource_urls=_words(paths))


EVENTS = allow("create update patch", "core events.k8s.io", "events")


def cluster_role(name: str, *rules: PolicyRule, aggregates: str = "", into: str = "") -> ClusterRole:
    """`aggregates`: the role is the sum of those that go `into` that one."""
    labels = {f"{RBAC}/aggregate-to-{into}": "true"} if into else {}
    selector = LabelSelector(match_labels={f"{RBAC}/aggregate-to-{aggregates}": "true"})
    rule = AggregationRule(cluster_role_selectors=(selector,)) if aggregates else None
    return ClusterRole(metadata=_metadata(name, "", labels), rules=rules or None, aggregation_rule=rule)


def role(namespace: str, name: str, *rules: PolicyRule) -> Role:
    return Role(metadata=_metadata(name, namespace), rules=rules)


def bind_cluster_role(name: str, *subjects: Subject) -> ClusterRoleBinding:
    """To a ClusterRole of the same name."""
    ref = RoleRef(api_group=RBAC, kind="ClusterRole", name=name)
    return ClusterRoleBinding(metadata=_metadata(name), role_ref=ref, subjects=subjects)


def bind_role(namespace: str, name: str, *subjects: Subject, to: str = "") -> RoleBinding:
    """To the Role `to`, or to one of the same name."""
    ref = RoleRef(api_group=RBAC, kind="Role", name=to or name)
    return RoleBinding(metadata=_metadata(name, namespace), role_ref=ref, subjects=subjects)


def user(name: str) -> Subject:
    return Subject(kind="User", api_group=RBAC, name=name)


def group(name: str) -> Subject:
    return Subject(kind="Group", api_group=RBAC, name=name)


def account(name: str) -> Subject:
    """A service account of the control plane."""
    return Subject(kind="ServiceAccount", name=name, namespace="kube-system")


def controllers(rules: Mapping[str, Sequence[PolicyRule]]) -> Iterator[tuple[ClusterRole, ClusterRoleBinding]]:
    """The role and binding of each controller, by its name."""
    for name, granted in rules.items():
        full = f"system:controller:{name}"
        yield cluster_role(full, *granted), bind_cluster_role(full, account(name))


def _metadata(name: str, namespace: str = "", labels: Mapping[str, str] | None = None) -> ObjectMeta:
    return ObjectMeta(
        name=name,
        namespace=namespace,
        labels={"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
        annotations={AUTO_UPDATE: "true"},
    )
