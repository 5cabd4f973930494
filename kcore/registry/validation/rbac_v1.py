"""Rules of the rbac.authorization.k8s.io group."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.field import FieldError, Path, invalid, not_supported, required
from kcore.api.names import dns1123_subdomain, path_segment_name
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject
from kcore.api.selectors import SelectorError, selector_from_struct
from kcore.registry.defaults.rbac_v1 import GROUP
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.values import check

__all__ = [
    "validate_cluster_role",
    "validate_cluster_role_binding",
    "validate_cluster_role_binding_update",
    "validate_cluster_role_update",
    "validate_role",
    "validate_role_binding",
    "validate_role_binding_update",
    "validate_role_update",
]


def validate_role(role: Role) -> Iterator[FieldError]:
    for i, rule in enumerate(role.rules or ()):
        yield from _validate_rule(rule, namespaced=True, path=Path("rules") @ i)


def validate_role_update(new: Role, old: Role) -> Iterator[FieldError]:
    """Upstream looks at the whole as at a new one, and once more as at a changed one; so for all kinds of the group."""
    yield from validate_role(new)
    yield from validate_role(new)


def validate_cluster_role_update(new: ClusterRole, old: ClusterRole) -> Iterator[FieldError]:
    yield from validate_cluster_role(new)
    yield from validate_cluster_role(new)


def validate_cluster_role(role: ClusterRole) -> Iterator[FieldError]:
    for i, rule in enumerate(role.rules or ()):
        yield from _validate_rule(rule, namespaced=False, path=Path("rules") @ i)
    if role.aggregation_rule is not None:
        path = Path("aggregationRule") / "clusterRoleSelectors"
        if not role.aggregation_rule.cluster_role_selectors:
            yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
        for i, selector in enumerate(role.aggregation_rule.cluster_role_selectors):
            yield from validate_label_selector(selector, path @ i)
            try:
                selector_from_struct(selector)
            except SelectorError:
                yield invalid(path @ i, None, "invalid label selector.")


def _validate_rule(rule: PolicyRule, *, namespaced: bool, path: Path) -> Iterator[FieldError]:
    if not rule.verbs:
        yield required(path / "verbs", "verbs must contain at least one value")
    urls = rule.non_resource_urls
    if urls:
        if namespaced:
            yield invalid(path / "nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.api_groups or rule.resources or rule.resource_names:
            message = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(path / "nonResourceURLs", urls, message)
        return
    if not rule.api_groups:
        yield required(path / "apiGroups", "resource rules must supply at least one api group")
    if not rule.resources:
        yield required(path / "resources", "resource rules must supply at least one resource")


def validate_role_binding(binding: RoleBinding) -> Iterator[FieldError]:
    yield from _validate_role_ref(binding.role_ref, ("Role", "ClusterRole"))
    for i, subject in enumerate(binding.subjects):
        yield from _validate_subject(subject, namespaced=True, path=Path("subjects") @ i)


def validate_role_binding_update(new: RoleBinding, old: RoleBinding) -> Iterator[FieldError]:
    yield from validate_role_binding(new)
    yield from validate_role_binding(new)
    yield from _validate_same_role(new.role_ref, old.role_ref)


def validate_cluster_role_binding(binding: ClusterRoleBinding) -> Iterator[FieldError]:
    yield from _validate_role_ref(binding.role_ref, ("ClusterRole",))
    for i, subject in enumerate(binding.subjects):
        yield from _validate_subject(subject, namespaced=False, path=Path("subjects") @ i)


def validate_cluster_role_binding_update(new: ClusterRoleBinding, old: ClusterRoleBinding) -> Iterator[FieldError]:
    yield from validate_cluster_role_binding(new)
    yield from validate_cluster_role_binding(new)
    yield from _validate_same_role(new.role_ref, old.role_ref)


def _validate_role_ref(ref: RoleRef, kinds: tuple[str, ...]) -> Iterator[FieldError]:
    path = Path("roleRef")
    if ref.api_group != GROUP:
        yield not_supported(path / "apiGroup", ref.api_group, (GROUP,))
    if ref.kind not in kinds:
        yield not_supported(path / "kind", ref.kind, kinds)
    if not ref.name:
        yield required(path / "name")
    else:
        yield from check(path / "name", ref.name, path_segment_name)


def _validate_same_role(new: RoleRef, old: RoleRef) -> Iterator[FieldError]:
    if new != old:
        shown = {"APIGroup": new.api_group, "Kind": new.kind, "Name": new.name}
        yield invalid(Path("roleRef"), shown, "cannot change roleRef")


def _validate_subject(subject: Subject, *, namespaced: bool, path: Path) -> Iterator[FieldError]:
    if not subject.name:
        yield required(path / "name")
    if subject.kind == "ServiceAccount":
        if subject.name:
            yield from check(path / "name", subject.name, dns1123_subdomain)
        if subject.api_group:
            yield not_supported(path / "apiGroup", subject.api_group, ("",))
        if not namespaced and not subject.namespace:
            yield required(path / "namespace")
    elif subject.kind in ("User", "Group"):
        if subject.api_group != GROUP:
            yield not_supported(path / "apiGroup", subject.api_group, (GROUP,))
    else:
        yield not_supported(path / "kind", subject.kind, ("ServiceAccount", "User", "Group"))
