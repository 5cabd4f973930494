"""Which FlowSchema a request belongs to: the first by precedence whose subjects and rules fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcore.api.flowcontrol_v1 import (
    FlowSchema,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    ResourcePolicyRule,
    Subject,
)
from kcore.registry.access import Attributes
from kcore.registry.request import User

__all__ = ["distinguisher", "in_precedence", "matching"]


def in_precedence(schemas: Iterable[FlowSchema]) -> Sequence[FlowSchema]:
    """The order in which they are tried: of equal precedence the smaller name first."""
    return sorted(schemas, key=lambda schema: (schema.spec.matching_precedence, schema.metadata.name))


def matching(schemas: Sequence[FlowSchema], asked: Attributes) -> FlowSchema | None:
    return next((schema for schema in schemas if any(_fits(rule, asked) for rule in schema.spec.rules)), None)


def distinguisher(schema: FlowSchema, asked: Attributes) -> str:
    """What tells the flows of a schema apart."""
    method = schema.spec.distinguisher_method
    if method is None:
        return ""
    return asked.user.name if method.type == "ByUser" else asked.namespace


def _fits(rule: PolicyRulesWithSubjects, asked: Attributes) -> bool:
    if not any(_is(subject, asked.user) for subject in rule.subjects):
        return False
    if asked.path:
        return any(_fits_path(each, asked) for each in rule.non_resource_rules)
    return any(_fits_resource(each, asked) for each in rule.resource_rules)


def _is(subject: Subject, user: User) -> bool:
    if subject.user is not None:
        return subject.user.name in ("*", user.name)
    if subject.group is not None:
        return subject.group.name == "*" or subject.group.name in user.groups
    account = subject.service_account
    if account is None:
        return False
    prefix = f"system:serviceaccount:{account.namespace}:"
    return user.name.startswith(prefix) if account.name == "*" else user.name == prefix + account.name


def _fits_resource(rule: ResourcePolicyRule, asked: Attributes) -> bool:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    if not (_has(rule.verbs, asked.verb) and _has(rule.api_groups, asked.group) and _has(rule.resources, resource)):
        return False
    return _has(rule.namespaces, asked.namespace) if asked.namespace else rule.cluster_scope


def _fits_path(rule: NonResourcePolicyRule, asked: Attributes) -> bool:
    return _has(rule.verbs, asked.verb) and any(_is_path(url, asked.path) for url in rule.non_resource_urls)


def _is_path(rule: str, path: str) -> bool:
    if rule == "*" or rule == path:
        return True
    return rule.endswith("/*") and path.startswith(rule[:-1])


def _has(listed: Sequence[str], wanted: str) -> bool:
    return wanted in listed or "*" in listed
