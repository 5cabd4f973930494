"""Which requests a webhook or policy is about: its rules and selectors. Pure but for the look at the namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from kcore.api.errors import NotFound
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusDetails
from kcore.api.selectors import Selector
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.plugin import Operation
from kcore.store.store import Store

__all__ = ["Place", "Rule", "invoked_kind", "matches_namespace", "matches_object", "rule_matches"]

_ANY = "*"
_NAMESPACES = "namespaces"
_OWN_GROUP = "admissionregistration.k8s.io"


class Rule(Protocol):
    """RuleWithOperations, or its sibling with names."""

    @property
    def api_groups(self) -> Sequence[str]: ...

    @property
    def api_versions(self) -> Sequence[str]: ...

    @property
    def operations(self) -> Sequence[str]: ...

    @property
    def resources(self) -> Sequence[str]: ...

    @property
    def scope(self) -> str | None: ...


Place = tuple[Kind, Operation, str]
"""What rules are about: a kind, what is done, and the subresource or none."""


def is_exempt(kind: Kind) -> bool:
    """Webhook configurations and policies themselves: a bad one must not keep itself from being mended."""
    return kind.group == _OWN_GROUP


def rule_matches(rule: Rule, place: Place) -> bool:
    kind, operation, subresource = place
    return (
        _scope_matches(rule.scope, kind)
        and _one_of(rule.operations, operation.value)
        and _one_of(rule.api_groups, kind.group)
        and _one_of(rule.api_versions, kind.version)
        and any(_resource_matches(text, kind.plural, subresource) for text in rule.resources)
    )


def _one_of(items: Iterable[str], wanted: str) -> bool:
    return any(item in (_ANY, wanted) for item in items)


def _scope_matches(scope: str | None, kind: Kind) -> bool:
    if scope is None or scope == _ANY:
        return True
    return kind.namespaced == (scope == "Namespaced")


def _resource_matches(text: str, plural: str, subresource: str) -> bool:
    resource, _, below = text.partition("/")
    return resource in (_ANY, plural) and below in (_ANY, subresource)


def invoked_kind(rules: Sequence[Rule], policy: str | None, place: Place, forms: Forms) -> Kind | None:
    """As which kind those who wrote the rules want to see the object; None: they do not want to."""
    kind, operation, subresource = place
    if any(rule_matches(rule, place) for rule in rules):
        return kind
    if policy != "Equivalent":
        return None
    others = forms.equivalents(kind)
    found = (k for rule in rules for k in others if rule_matches(rule, (k, operation, subresource)))
    return next(found, None)


def matches_namespace(selector: Selector, attributes: Attributes, store: Store) -> bool:
    """What lies in no namespace is always meant. Raises NotFound for a namespace that is not there."""
    namespace = attributes.namespace
    if not namespace or selector.empty:
        return True
    if attributes.kind.group_resource == _NAMESPACES and not attributes.req.subresource:
        labels = attributes.object_labels()
        if labels is not None:
            return selector.matches(labels)
    record = store.head(f"{_NAMESPACES}/{namespace}")
    if record is None:
        details = StatusDetails(name=namespace, kind=_NAMESPACES)
        raise NotFound(f"namespaces {quote(namespace)} not found", details)
    return selector.matches(record.obj.metadata.labels)


def matches_object(selector: Selector, attributes: Attributes) -> bool:
    """Whether it selects the object as it was or as it shall be."""
    if selector.empty:
        return True
    seen = (attributes.object_labels(), attributes.old_labels())
    return any(labels is not None and selector.matches(labels) for labels in seen)
