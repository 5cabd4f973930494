"""Rules of the flowcontrol.apiserver.k8s.io group (KEP-1040)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.flowcontrol_v1 import (
    FlowSchema,
    LimitedPriorityLevelConfiguration,
    LimitResponse,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    PriorityLevelConfiguration,
    QueuingConfiguration,
    ResourcePolicyRule,
    Subject,
)
from kcore.api.names import dns1123_label, dns1123_subdomain
from kcore.registry.validation.values import check

__all__ = [
    "validate_flow_schema",
    "validate_flow_schema_status",
    "validate_priority_level",
    "validate_priority_level_status",
]

_SPEC = Path("spec")
_PRECEDENCE_MAX = 10000
_QUEUES_MAX = 10_000_000
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_NAMESPACES = "each member of this list must be '*' or a DNS-1123 label; "
_HASH_BITS_MAX = 60
_KINDS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def validate_flow_schema(schema: FlowSchema) -> Iterator[FieldError]:
    spec, path = schema.spec, _SPEC / "matchingPrecedence"
    if spec.matching_precedence <= 0:
        yield invalid(path, spec.matching_precedence, "must be a positive value")
    if spec.matching_precedence > _PRECEDENCE_MAX:
        yield invalid(path, spec.matching_precedence, f"must not be greater than {_PRECEDENCE_MAX}")
    if spec.matching_precedence == 1 and schema.metadata.name != "exempt":
        yield invalid(path, 1, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = spec.distinguisher_method
    if method is not None and method.type not in ("ByNamespace", "ByUser"):
        yield not_supported(_SPEC / "distinguisherMethod" / "type", {"Type": method.type}, ("ByNamespace", "ByUser"))
    path, name = _SPEC / "priorityLevelConfiguration" / "name", spec.priority_level_configuration.name
    if not name:
        yield required(path, "must reference a priority level")
    else:
        yield from check(path, name, dns1123_subdomain)
    for i, rule in enumerate(spec.rules):
        yield from _validate_rules(rule, _SPEC / "rules" @ i)


def _validate_rules(rules: PolicyRulesWithSubjects, path: Path) -> Iterator[FieldError]:
    if not rules.subjects:
        yield required(path / "subjects", "subjects must contain at least one value")
    for i, subject in enumerate(rules.subjects):
        yield from _validate_subject(subject, path / "subjects" @ i)
    if not rules.resource_rules and not rules.non_resource_rules:
        yield required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for i, rule in enumerate(rules.resource_rules):
        yield from _validate_resource_rule(rule, path / "resourceRules" @ i)
    for i, other in enumerate(rules.non_resource_rules):
        yield from _validate_non_resource_rule(other, path / "nonResourceRules" @ i)


def _validate_subject(subject: Subject, path: Path) -> Iterator[FieldError]:
    own = _KINDS.get(subject.kind)
    if own is None:
        yield not_supported(path / "kind", subject.kind, tuple(_KINDS))
        return
    members = {"group": subject.group, "serviceAccount": subject.service_account, "user": subject.user}
    if members[own] is None:
        yield required(path / own, f"{own} is required when subject kind is '{subject.kind}'")
    for name, member in members.items():
        if name != own and member is not None:
            yield forbidden(path / name, f"{name} is forbidden when subject kind is not '{_kind_of(name)}'")
    if own == "serviceAccount" and subject.service_account is not None:
        account, at = subject.service_account, path / own
        if not account.name:
            yield required(at / "name")
        elif account.name != "*":
            yield from check(at / "name", account.name, dns1123_subdomain)
        if not account.namespace:
            yield required(at / "namespace", "must specify namespace for service account")
        else:
            yield from check(at / "namespace", account.namespace, dns1123_label)
    elif (own == "user" and subject.user is not None and not subject.user.name) or (
        own == "group" and subject.group is not None and not subject.group.name
    ):
        yield required(path / own / "name")


def _kind_of(member: str) -> str:
    return next(kind for kind, name in _KINDS.items() if name == member)


def _validate_verbs(verbs: Sequence[str], path: Path) -> Iterator[FieldError]:
    if not verbs:
        yield required(path, "verbs must contain at least one value")
    elif len(verbs) > 1 and "*" in verbs:
        yield invalid(path, verbs, "if '*' is present, must not specify other verbs")
    elif "*" not in verbs and not set(verbs) <= set(_VERBS):
        yield not_supported(path, list(verbs), _VERBS)


def _validate_resource_rule(rule: ResourcePolicyRule, path: Path) -> Iterator[FieldError]:
    yield from _validate_verbs(rule.verbs, path / "verbs")
    for field, values, noun, one in (
        ("apiGroups", rule.api_groups, "api groups", "at least one api group"),
        ("resources", rule.resources, "resources", "at least one resource"),
    ):
        if not values:
            yield required(path / field, f"resource rules must supply {one}")
        elif len(values) > 1 and "*" in values:
            yield invalid(path / field, values, f"if '*' is present, must not specify other {noun}")
    if not rule.namespaces and not rule.cluster_scope:
        yield required(
            path / "namespaces", "resource rules that are not cluster scoped must supply at least one namespace"
        )
    elif len(rule.namespaces) > 1 and "*" in rule.namespaces:
        yield invalid(path / "namespaces", rule.namespaces, "if '*' is present, must not specify other namespaces")
    else:
        for i, namespace in enumerate(rule.namespaces):
            for message in () if namespace == "*" else dns1123_label(namespace):
                yield invalid(path / "namespaces" @ i, namespace, _NAMESPACES + message)


def _validate_non_resource_rule(rule: NonResourcePolicyRule, path: Path) -> Iterator[FieldError]:
    yield from _validate_verbs(rule.verbs, path / "verbs")
    urls, at = rule.non_resource_urls, path / "nonResourceURLs"
    if not urls:
        yield required(at, "nonResourceURLs must contain at least one value")
    elif len(urls) > 1 and "*" in urls:
        yield invalid(at, urls, "if '*' is present, must not specify other non-resource URLs")
    else:
        for i, url in enumerate(urls):
            yield from _validate_url(url, at @ i)


def _validate_url(url: str, path: Path) -> Iterator[FieldError]:
    if not url:
        yield invalid(path, url, "must not be empty")
    elif url in ("*", "/"):
        return
    elif not url.startswith("/"):
        yield invalid(path, url, "must start with slash")
    elif " " in url:
        yield invalid(path, url, "must not contain white-space")
    elif "//" in url:
        yield invalid(path, url, "must not contain double slash")
    elif "*" in url[:-1] or (url.endswith("*") and not url.endswith("/*")):
        yield invalid(path, url, "wildcard can only do suffix matching")


def validate_flow_schema_status(new: FlowSchema, old: FlowSchema) -> Iterator[FieldError]:
    yield from _validate_conditions([condition.type for condition in new.status.conditions])


def validate_priority_level_status(
    new: PriorityLevelConfiguration, old: PriorityLevelConfiguration
) -> Iterator[FieldError]:
    yield from _validate_conditions([condition.type for condition in new.status.conditions])


def _validate_conditions(types: Sequence[str]) -> Iterator[FieldError]:
    for i, kind in enumerate(types):
        path = Path("status") / "conditions" @ i / "type"
        if kind in types[:i]:
            yield duplicate(path, kind)
        if not kind:
            yield required(path, "must not be empty")


def validate_priority_level(level: PriorityLevelConfiguration) -> Iterator[FieldError]:
    spec = level.spec
    if (spec.type == "Exempt") != (level.metadata.name == "exempt"):
        yield invalid(_SPEC / "type", spec.type, "must be 'Exempt' if and only if `name` is 'exempt'")
    if spec.type == "Exempt":
        if spec.limited is not None:
            yield forbidden(_SPEC / "limited", "must be nil if the type is not Limited")
        if spec.exempt is not None:
            yield from _validate_share(spec.exempt.nominal_concurrency_shares, _SPEC / "exempt")
            yield from _validate_percent(spec.exempt.lendable_percent, _SPEC / "exempt" / "lendablePercent")
    elif spec.type == "Limited":
        if spec.exempt is not None:
            yield forbidden(_SPEC / "exempt", "must be nil if the type is Limited")
        if spec.limited is None:
            yield required(_SPEC / "limited", "must not be empty when type is Limited")
        else:
            yield from _validate_limited(spec.limited, _SPEC / "limited")
    else:
        yield not_supported(_SPEC / "type", spec.type, ("Exempt", "Limited"))


def _validate_share(shares: int | None, path: Path) -> Iterator[FieldError]:
    if shares is not None and shares < 0:
        yield invalid(path / "nominalConcurrencyShares", shares, "must be a non-negative integer")


def _validate_percent(percent: int | None, path: Path) -> Iterator[FieldError]:
    if percent is not None and not 0 <= percent <= 100:
        yield invalid(path, percent, "must be between 0 and 100, inclusive")


def _validate_limited(limited: LimitedPriorityLevelConfiguration, path: Path) -> Iterator[FieldError]:
    yield from _validate_share(limited.nominal_concurrency_shares, path)
    yield from _validate_limit_response(limited.limit_response, path / "limitResponse")
    yield from _validate_percent(limited.lendable_percent, path / "lendablePercent")
    borrowing = limited.borrowing_limit_percent
    if borrowing is not None and borrowing < 0:
        yield invalid(path / "borrowingLimitPercent", borrowing, "if specified, must be a non-negative integer")


def _validate_limit_response(response: LimitResponse, path: Path) -> Iterator[FieldError]:
    if response.type == "Reject":
        if response.queuing is not None:
            yield forbidden(path / "queuing", "must be nil if limited.limitResponse.type is not Limited")
    elif response.type == "Queue":
        if response.queuing is None:
            yield required(path / "queuing", "must not be empty if limited.limitResponse.type is Limited")
        else:
            yield from _validate_queuing(response.queuing, path / "queuing")
    else:
        yield not_supported(path / "type", response.type, ("Queue", "Reject"))


def _validate_queuing(queuing: QueuingConfiguration, path: Path) -> Iterator[FieldError]:
    for field, value in (("queueLengthLimit", queuing.queue_length_limit), ("queues", queuing.queues)):
        if value <= 0:
            yield invalid(path / field, value, "must be positive")
    if queuing.queues > _QUEUES_MAX:
        yield invalid(path / "queues", queuing.queues, f"must not be greater than {_QUEUES_MAX}")
    if queuing.hand_size <= 0:
        yield invalid(path / "handSize", queuing.hand_size, "must be positive")
    elif queuing.hand_size > queuing.queues:
        yield invalid(path / "handSize", queuing.hand_size, f"should not be greater than queues ({queuing.queues})")
    elif math.ceil(math.log2(queuing.queues) * queuing.hand_size) > _HASH_BITS_MAX:
        sizes = f"deckSize {queuing.queues} and handSize {queuing.hand_size}"
        message = f"required entropy bits of {sizes} should not be greater than {_HASH_BITS_MAX}"
        yield invalid(path / "handSize", queuing.hand_size, message)
