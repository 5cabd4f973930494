"""Rules of webhook configurations, and of what they share with admission policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kcore.api.admissionregistration_v1 import (
    MatchCondition,
    MutatingWebhook,
    MutatingWebhookConfiguration,
    NamedRuleWithOperations,
    RuleWithOperations,
    ServiceReference,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
    WebhookClientConfig,
)
from kcore.api.apiextensions_v1 import ServiceReference as ConversionService
from kcore.api.apiextensions_v1 import WebhookClientConfig as ConversionClientConfig
from kcore.api.field import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from kcore.api.names import dns1035_label, dns1123_subdomain, label_key, path_segment_name, port_number
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.values import check

if TYPE_CHECKING:
    from kcore.registry.policies.compilation import Expressions

__all__ = ["validate_client", "validate_conditions", "validate_rule", "validate_webhooks"]

_REVIEW_VERSIONS = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_FAILURE_POLICIES = ("Fail", "Ignore")
_MATCH_POLICIES = ("Equivalent", "Exact")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_SECONDS_MAX = 30
_CONDITIONS_MAX = 64
_URL_FORM = "; desired format: https://host[/path]"


def validate_webhooks(configuration: ValidatingWebhookConfiguration | MutatingWebhookConfiguration) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    webhooks: Sequence[ValidatingWebhook | MutatingWebhook] = configuration.webhooks
    for i, webhook in enumerate(webhooks):
        path = Path("webhooks") @ i
        errors += _validate_webhook(webhook, path)
        errors += _validate_review_versions(webhook.admission_review_versions, path / "admissionReviewVersions")
        if webhook.name in names:
            errors.append(duplicate(path / "name", webhook.name))
        names.add(webhook.name)
    return errors


def _validate_webhook(webhook: ValidatingWebhook | MutatingWebhook, path: Path) -> Iterator[FieldError]:
    yield from _fully_qualified(webhook.name, path / "name")
    for i, rule in enumerate(webhook.rules):
        yield from validate_rule(rule, path / "rules" @ i)
    yield from _optional(path / "failurePolicy", webhook.failure_policy, _FAILURE_POLICIES)
    yield from _optional(path / "matchPolicy", webhook.match_policy, _MATCH_POLICIES)
    if webhook.side_effects is None:
        yield required(path / "sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    yield from _optional(path / "sideEffects", webhook.side_effects, _SIDE_EFFECTS)
    seconds = webhook.timeout_seconds
    if seconds is not None and not 1 <= seconds <= _SECONDS_MAX:
        yield invalid(
            path / "timeoutSeconds", seconds, f"the timeout value must be between 1 and {_SECONDS_MAX} seconds"
        )
    yield from validate_label_selector(webhook.namespace_selector, path / "namespaceSelector")
    yield from validate_label_selector(webhook.object_selector, path / "objectSelector")
    yield from validate_client(webhook.client_config, path / "clientConfig")
    if webhook.match_conditions:
        yield from validate_conditions(webhook.match_conditions, path / "matchConditions", _expressions())
    if isinstance(webhook, MutatingWebhook):
        yield from _optional(path / "reinvocationPolicy", webhook.reinvocation_policy, ("IfNeeded", "Never"))


def _expressions() -> Expressions:
    # Imported where it is used: with it comes the compiler of expressions, which start-up does not need.
    from kcore.registry.policies.compilation import Expressions

    return Expressions()


def _optional(path: Path, value: str | None, supported: Sequence[str]) -> Iterator[FieldError]:
    if value is not None and value not in supported:
        yield not_supported(path, value, supported)


def _fully_qualified(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    errors = list(check(path, name, dns1123_subdomain))
    yield from errors
    if not errors and name.count(".") < 2:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


def _validate_review_versions(versions: Sequence[str], path: Path) -> Iterator[FieldError]:
    known = ", ".join(_REVIEW_VERSIONS)
    if not versions:
        yield required(path, f"must specify one of {known}")
        return
    for i, version in enumerate(versions):
        if version in versions[:i]:
            yield invalid(path @ i, version, "duplicate version")
            continue
        yield from check(path @ i, version, dns1035_label)
    if not set(versions) & set(_REVIEW_VERSIONS):
        yield invalid(path, versions, f"must include at least one of {known}")


def validate_rule(rule: RuleWithOperations | NamedRuleWithOperations, path: Path) -> Iterator[FieldError]:
    if isinstance(rule, NamedRuleWithOperations):
        yield from _validate_names(rule.resource_names, path / "resourceNames")
    for field, values, noun in (
        ("operations", rule.operations, "operations"),
        ("apiGroups", rule.api_groups, "API groups"),
        ("apiVersions", rule.api_versions, "API versions"),
    ):
        if not values:
            yield required(path / field)
        if len(values) > 1 and "*" in values:
            yield invalid(path / field, values, f"if '*' is present, must not specify other {noun}")
        for i, value in enumerate(values):
            if field == "operations" and value not in _OPERATIONS:
                yield not_supported(path / field @ i, value, _OPERATIONS)
            elif field == "apiVersions" and not value:
                yield required(path / field @ i)
    yield from _validate_resources(rule.resources, path / "resources")
    yield from _optional(path / "scope", rule.scope, _SCOPES)


def _validate_names(names: Sequence[str], path: Path) -> Iterator[FieldError]:
    for i, name in enumerate(names):
        yield from check(path @ i, name, path_segment_name)
        if name in names[:i]:
            yield duplicate(path @ i, name)


def _validate_resources(resources: Sequence[str], path: Path) -> Iterator[FieldError]:
    """`pods`, `pods/log`, `pods/*`, `*/scale`, `*`, `*/*`: nothing that an earlier entry already says."""
    if not resources:
        yield required(path)
    wild_subresources: set[str] = set()
    wild_resources: set[str] = set()
    plain = False
    for i, text in enumerate(resources):
        if not text:
            yield required(path @ i)
            continue
        name, slash, subresource = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if name in wild_subresources:
            yield invalid(path @ i, text, f"if '{name}/*' is present, must not specify {text}")
        if subresource in wild_resources:
            yield invalid(path @ i, text, f"if '*/{subresource}' is present, must not specify {text}")
        if subresource == "*":
            wild_subresources.add(name)
        if name == "*":
            wild_resources.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        yield invalid(path, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and plain:
        yield invalid(path, resources, "if '*' is present, must not specify other resources without subresources")


def validate_client(config: WebhookClientConfig | ConversionClientConfig, path: Path) -> Iterator[FieldError]:
    if (config.url is None) == (config.service is None):
        yield required(path, "exactly one of url or service is required")
    elif config.url is not None:
        yield from _validate_url(config.url, path / "url")
    elif config.service is not None:
        yield from _validate_service(config.service, path / "service")


def _validate_url(text: str, path: Path) -> Iterator[FieldError]:
    try:
        url = urlsplit(text)
        host = url.hostname
    except ValueError as e:
        yield required(path, f"url must be a valid URL: {e}{_URL_FORM}")
        return
    if url.scheme != "https":
        yield invalid(path, url.scheme, f"'https' is the only allowed URL scheme{_URL_FORM}")
    if not host:
        yield invalid(path, "", f"host must be specified{_URL_FORM}")
    for value, what in (
        (url.username, "user information is"),
        (url.fragment, "fragments are"),
        (url.query, "query parameters are"),
    ):
        if value:
            yield invalid(path, value, f"{what} not permitted in the URL")


def _validate_service(service: ServiceReference | ConversionService, path: Path) -> Iterator[FieldError]:
    for field, value in (("name", service.name), ("namespace", service.namespace)):
        if not value:
            yield required(path / field, f"service {field} is required")
    if service.port is not None:
        for message in port_number(service.port):
            yield invalid(path / "port", service.port, f"port is not valid: {message}")
    if service.path is None or service.path == "/":
        return
    if not service.path.startswith("/"):
        yield invalid(path / "path", service.path, "must start with a '/'")
    steps = service.path.strip("/").split("/")
    for i, step in enumerate(steps):
        if not step:
            yield invalid(path / "path", service.path, f"segment[{i}] may not be empty")
        else:
            for message in dns1123_subdomain(step):
                yield invalid(path / "path", service.path, f"segment[{i}]: {message}")


def validate_conditions(
    conditions: Sequence[MatchCondition], path: Path, expressions: Expressions
) -> Iterator[FieldError]:
    if len(conditions) > _CONDITIONS_MAX:
        yield too_many(path, len(conditions), _CONDITIONS_MAX)
    for i, condition in enumerate(conditions):
        if not condition.expression.strip():
            yield required(path @ i / "expression")
        else:
            yield from expressions.condition(path @ i / "expression", condition.expression)
        if not condition.name:
            yield required(path @ i / "name")
        else:
            yield from check(path @ i / "name", condition.name, label_key)
        if condition.name and any(c.name == condition.name for c in conditions[:i]):
            yield duplicate(path @ i / "name", condition.name)
