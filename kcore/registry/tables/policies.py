"""Tables of admission: webhooks, policies written in CEL, and their bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import admissionregistration_v1 as admission
from kcore.api.meta_v1 import LabelSelector
from kcore.registry.tables.printer import AGE, NAME, UNSET, Column, Printer, age

__all__ = ["POLICIES"]


def _webhooks(
    o: admission.ValidatingWebhookConfiguration | admission.MutatingWebhookConfiguration, now: float
) -> Sequence[Any]:
    return o.metadata.name, len(o.webhooks), age(o, now)


def _param_kind(kind: admission.ParamKind | None) -> str:
    if kind is None:
        return UNSET
    return f"{kind.api_version}/{kind.kind}" if kind.api_version else kind.kind


def _validating(o: admission.ValidatingAdmissionPolicy, now: float) -> Sequence[Any]:
    return o.metadata.name, len(o.spec.validations), _param_kind(o.spec.param_kind), age(o, now)


def _mutating(o: admission.MutatingAdmissionPolicy, now: float) -> Sequence[Any]:
    return o.metadata.name, len(o.spec.mutations), _param_kind(o.spec.param_kind), age(o, now)


def _binding(
    o: admission.ValidatingAdmissionPolicyBinding | admission.MutatingAdmissionPolicyBinding, now: float
) -> Sequence[Any]:
    return o.metadata.name, o.spec.policy_name, _param_ref(o.spec.param_ref), age(o, now)


def _param_ref(ref: admission.ParamRef | None) -> str:
    """What a binding does not say of a namespace may be any: whether the kind has namespaces is not known here."""
    if ref is None:
        return UNSET
    if ref.name:
        return f"{ref.namespace or '*'}/{ref.name}"
    return _go_selector(ref.selector) if ref.selector is not None else UNSET


def _go_selector(selector: LabelSelector) -> str:
    """A selector as its protobuf message prints itself."""
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{e.key},Operator:{e.operator},Values:[{' '.join(e.values)}],}},"
        for e in selector.match_expressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


_WEBHOOKS = Printer((NAME, Column("Webhooks", "How many webhooks there are.", "integer"), AGE), _webhooks)
_PARAM_KIND = Column("ParamKind", "The kind of object that parameters are read from.")
_BINDING = Printer(
    (
        NAME,
        Column("PolicyName", "The policy that is bound."),
        Column("ParamRef", "The object that parameters are read from."),
        AGE,
    ),
    _binding,
)

POLICIES: Mapping[type[Any], Printer] = {
    admission.ValidatingWebhookConfiguration: _WEBHOOKS,
    admission.MutatingWebhookConfiguration: _WEBHOOKS,
    admission.ValidatingAdmissionPolicy: Printer(
        (NAME, Column("Validations", "How many rules there are.", "integer"), _PARAM_KIND, AGE), _validating
    ),
    admission.MutatingAdmissionPolicy: Printer(
        (NAME, Column("Mutations", "How many changes there are.", "integer"), _PARAM_KIND, AGE), _mutating
    ),
    admission.ValidatingAdmissionPolicyBinding: _BINDING,
    admission.MutatingAdmissionPolicyBinding: _BINDING,
}
