"""Defaults of the admissionregistration.k8s.io group."""

from __future__ import annotations

from kcore.api.admissionregistration_v1 import (
    MatchResources,
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
)
from kcore.api.meta_v1 import LabelSelector
from kcore.api.schema import fill

__all__ = ["default_binding", "default_mutating_webhooks", "default_policy", "default_validating_webhooks"]

_TIMEOUT_SECONDS = 10


def default_validating_webhooks(configuration: ValidatingWebhookConfiguration) -> None:
    for webhook in configuration.webhooks:
        _default_webhook(webhook)


def default_mutating_webhooks(configuration: MutatingWebhookConfiguration) -> None:
    for webhook in configuration.webhooks:
        _default_webhook(webhook)
        if webhook.reinvocation_policy is None:
            fill(webhook, reinvocation_policy="Never")


def _default_webhook(webhook: ValidatingWebhook | MutatingWebhook) -> None:
    fill(
        webhook,
        failure_policy="Fail" if webhook.failure_policy is None else webhook.failure_policy,
        match_policy="Equivalent" if webhook.match_policy is None else webhook.match_policy,
        namespace_selector=webhook.namespace_selector or LabelSelector(),
        object_selector=webhook.object_selector or LabelSelector(),
        timeout_seconds=_TIMEOUT_SECONDS if webhook.timeout_seconds is None else webhook.timeout_seconds,
    )
    service = webhook.client_config.service
    if service is not None and service.port is None:
        fill(service, port=443)
    for rule in webhook.rules:
        if rule.scope is None:
            fill(rule, scope="*")


def default_policy(policy: ValidatingAdmissionPolicy | MutatingAdmissionPolicy) -> None:
    spec = policy.spec
    if spec.failure_policy is None:
        fill(spec, failure_policy="Fail")
    if spec.match_constraints is not None:
        _default_match(spec.match_constraints)


def default_binding(binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding) -> None:
    if binding.spec.match_resources is not None:
        _default_match(binding.spec.match_resources)


def _default_match(match: MatchResources) -> None:
    fill(
        match,
        match_policy="Equivalent" if match.match_policy is None else match.match_policy,
        namespace_selector=match.namespace_selector or LabelSelector(),
        object_selector=match.object_selector or LabelSelector(),
    )
    for rule in (*match.resource_rules, *match.exclude_resource_rules):
        if rule.scope is None:
            fill(rule, scope="*")
