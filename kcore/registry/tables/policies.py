"""Tables of admission: webhooks, policies written in CEL, and their bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import admissionregistration_v1 as admission
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
    shown, ref = UNSET, o.spec.param_ref
    if ref is not None:
        shown = f"{ref.namespace}/{ref.name or '*'}" if ref.namespace else ref.name or "*"
    return o.metadata.name, o.spec.policy_name, shown, age(o, now)


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
