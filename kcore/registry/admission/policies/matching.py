"""MatchResources: which requests a policy, or a binding of it, is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcore.api.admissionregistration_v1 import MatchResources, NamedRuleWithOperations
from kcore.api.kind import Kind
from kcore.api.selectors import Selector, selector_from_struct
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import Place, matches_namespace, matches_object, rule_matches
from kcore.store.store import Store

__all__ = ["Match"]


class Candidate(NamedTuple):
    """A rule that matches a place, by way of a kind."""

    names: frozenset[str]
    kind: Kind


class Match:
    """What is left to look at in a request once its kind, operation and subresource are known."""

    def __init__(self, resources: MatchResources | None, place: Place, forms: Forms) -> None:
        self.everything = resources is None
        resources = resources or MatchResources()
        self._namespaces: Selector = selector_from_struct(resources.namespace_selector)
        self._objects: Selector = selector_from_struct(resources.object_selector)
        policy = resources.match_policy
        self._excluded = tuple(_candidates(resources.exclude_resource_rules, policy, place, forms))
        if resources.resource_rules:
            self._included = tuple(_candidates(resources.resource_rules, policy, place, forms))
        else:
            self._included = (Candidate(frozenset(), place[0]),)

    @property
    def kinds(self) -> frozenset[Kind]:
        """As which kinds objects may be seen."""
        return frozenset(candidate.kind for candidate in self._included)

    @property
    def possible(self) -> bool:
        return bool(self._included) and not any(not candidate.names for candidate in self._excluded)

    def kind_for(self, attributes: Attributes, store: Store) -> Kind | None:
        """As which kind the object is to be seen; None: the request is not meant. Raises NotFound."""
        if self.everything:
            return attributes.kind
        name = attributes.name
        if _first(self._excluded, name) is not None:
            return None
        kind = _first(self._included, name)
        if kind is None or not matches_object(self._objects, attributes):
            return None
        return kind if matches_namespace(self._namespaces, attributes, store) else None


def _first(candidates: Sequence[Candidate], name: str) -> Kind | None:
    return next((c.kind for c in candidates if not c.names or name in c.names), None)


def _candidates(
    rules: Sequence[NamedRuleWithOperations], policy: str | None, place: Place, forms: Forms
) -> list[Candidate]:
    """Those that match the kind itself first, then those that match an equivalent one."""
    kind, operation, subresource = place
    found = [Candidate(frozenset(r.resource_names), kind) for r in rules if rule_matches(r, place)]
    others = () if policy == "Exact" else forms.equivalents(kind)
    return found + [
        Candidate(frozenset(rule.resource_names), other)
        for rule in rules
        for other in others
        if rule_matches(rule, (other, operation, subresource))
    ]
