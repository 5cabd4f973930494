"""The admissionregistration.k8s.io group."""

from __future__ import annotations

from kcore.api.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingWebhookConfiguration,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
)
from kcore.registry.defaults.admissionregistration_v1 import (
    default_binding,
    default_mutating_webhooks,
    default_policy,
    default_validating_webhooks,
)
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.admission_policies import (
    validate_mutating_binding,
    validate_mutating_policy,
    validate_validating_binding,
    validate_validating_policy,
)
from kcore.registry.validation.webhooks import validate_webhooks

__all__ = ["STRATEGIES"]


class ValidatingWebhookConfigurationStrategy(Ruled):
    type = ValidatingWebhookConfiguration
    generation = ("webhooks",)
    rules = Rules(default_validating_webhooks, validate_webhooks)


class MutatingWebhookConfigurationStrategy(Ruled):
    type = MutatingWebhookConfiguration
    generation = ("webhooks",)
    rules = Rules(default_mutating_webhooks, validate_webhooks)


class ValidatingAdmissionPolicyStrategy(Ruled):
    type = ValidatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_policy, validate_validating_policy)


class ValidatingAdmissionPolicyBindingStrategy(Ruled):
    type = ValidatingAdmissionPolicyBinding
    generation = ("spec",)
    rules = Rules(default_binding, validate_validating_binding)


class MutatingAdmissionPolicyStrategy(Ruled):
    type = MutatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_policy, validate_mutating_policy)


class MutatingAdmissionPolicyBindingStrategy(Ruled):
    type = MutatingAdmissionPolicyBinding
    generation = ("spec",)
    rules = Rules(default_binding, validate_mutating_binding)


STRATEGIES = (
    ValidatingWebhookConfigurationStrategy,
    MutatingWebhookConfigurationStrategy,
    ValidatingAdmissionPolicyStrategy,
    ValidatingAdmissionPolicyBindingStrategy,
    MutatingAdmissionPolicyStrategy,
    MutatingAdmissionPolicyBindingStrategy,
)
