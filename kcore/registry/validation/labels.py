"""Rules of labels and of selectors over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from kcore.api.field import FieldError, Path, forbidden, invalid, required
from kcore.api.meta_v1 import FieldSelectorRequirement, LabelSelector, LabelSelectorRequirement
from kcore.api.names import dns1123_subdomain, label_key, label_value
from kcore.registry.validation.values import check

__all__ = [
    "validate_label_selector",
    "validate_labels",
    "validate_node_selector",
    "validate_node_term",
    "validate_operator",
    "validate_requirement_labels",
]


def validate_labels(labels: Mapping[str, str], path: Path) -> Iterator[FieldError]:
    for key, value in sorted(labels.items()):
        yield from check(path, key, label_key)
        yield from check(path, value, label_value)


def validate_label_selector(selector: LabelSelector | None, path: Path) -> Iterator[FieldError]:
    if selector is None:
        return
    yield from validate_labels(selector.match_labels, path / "matchLabels")
    for i, requirement in enumerate(selector.match_expressions):
        yield from _validate_requirement(requirement, path / "matchExpressions" @ i)


def _validate_requirement(requirement: LabelSelectorRequirement, path: Path) -> Iterator[FieldError]:
    yield from validate_operator(requirement, path)
    yield from validate_requirement_labels(requirement, path)


def validate_operator(
    requirement: LabelSelectorRequirement | FieldSelectorRequirement, path: Path, *, any_operator: bool = False
) -> Iterator[FieldError]:
    """That there are as many values as the operator takes. `any_operator`: newer clients may know more of them."""
    operator, values = requirement.operator, requirement.values
    if operator in ("In", "NotIn"):
        if not values:
            yield required(path / "values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden(path / "values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif not any_operator:
        yield invalid(path / "operator", operator, "not a valid selector operator")


def validate_requirement_labels(requirement: LabelSelectorRequirement, path: Path) -> Iterator[FieldError]:
    yield from check(path / "key", requirement.key, label_key)
    for i, value in enumerate(requirement.values):
        yield from check(path / "values" @ i, value, label_value)


def validate_node_selector(selector: NodeSelector, path: Path) -> Iterator[FieldError]:
    terms = path / "nodeSelectorTerms"
    if not selector.node_selector_terms:
        yield required(terms, "must have at least one node selector term")
    for i, term in enumerate(selector.node_selector_terms):
        yield from validate_node_term(term, terms @ i)


def validate_node_term(term: NodeSelectorTerm, path: Path, *, any_value: bool = False) -> Iterator[FieldError]:
    """`any_value`: values need not be label values, because the term is only a preference."""
    for i, expression in enumerate(term.match_expressions):
        yield from _validate_node_expression(expression, path / "matchExpressions" @ i, any_value)
    for i, field in enumerate(term.match_fields):
        yield from _validate_node_field(field, path / "matchFields" @ i)


def _validate_node_expression(
    requirement: NodeSelectorRequirement, path: Path, any_value: bool
) -> Iterator[FieldError]:
    operator, values = requirement.operator, requirement.values
    if operator in ("In", "NotIn"):
        if not values:
            yield required(path / "values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden(path / "values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            yield required(path / "values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield invalid(path / "operator", operator, "not a valid selector operator")
    yield from check(path / "key", requirement.key, label_key)
    if not any_value:
        for i, value in enumerate(values):
            yield from check(path / "values" @ i, value, label_value)


def _validate_node_field(requirement: NodeSelectorRequirement, path: Path) -> Iterator[FieldError]:
    if requirement.operator in ("In", "NotIn"):
        if len(requirement.values) != 1:
            yield required(
                path / "values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )
    else:
        yield invalid(path / "operator", requirement.operator, "not a valid selector operator")
    if requirement.key != "metadata.name":
        yield invalid(path / "key", requirement.key, "not a valid field selector key")
    else:
        for i, value in enumerate(requirement.values):
            yield from check(path / "values" @ i, value, dns1123_subdomain)
