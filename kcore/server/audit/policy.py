"""The audit policy (`--audit-policy-file`, audit.k8s.io/v1 Policy): the first rule that fits says how much is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from kcore.registry.access import Attributes

__all__ = ["BadPolicy", "Level", "Policy", "Telling", "read_policy"]

Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


class Level(IntEnum):
    """How much is told of a request."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3


_LEVELS = {
    "None": Level.NONE,
    "Metadata": Level.METADATA,
    "Request": Level.REQUEST,
    "RequestResponse": Level.REQUEST_RESPONSE,
}


class BadPolicy(ValueError):
    """The file is no audit policy; the message is for the user."""


class Telling(NamedTuple):
    """What a rule says of a request."""

    level: Level = Level.NONE
    omitted_stages: frozenset[str] = frozenset()
    omits_managed_fields: bool = False


class GroupResources(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def fit(self, asked: Attributes) -> bool:
        if self.group != asked.group:
            return False
        if not self.resources:
            return True
        if self.resource_names and asked.name not in self.resource_names:
            return False
        return any(_fits_resource(resource, asked) for resource in self.resources)


class Rule(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    level: Literal["None", "Metadata", "Request", "RequestResponse"]
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    def fits(self, asked: Attributes) -> bool:
        """What a rule does not speak of, it does not care about."""
        if self.users and asked.user.name not in self.users:
            return False
        if self.user_groups and not any(group in self.user_groups for group in asked.user.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return not asked.path and self._fits_resource(asked)
        if self.non_resource_urls:
            return bool(asked.path) and any(_fits_path(url, asked.path) for url in self.non_resource_urls)
        return True

    def _fits_resource(self, asked: Attributes) -> bool:
        if self.namespaces and asked.namespace not in self.namespaces:
            return False
        return not self.resources or any(resources.fit(asked) for resources in self.resources)


class Policy(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    api_version: Literal["audit.k8s.io/v1"]
    kind: Literal["Policy"]
    rules: tuple[Rule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False
    metadata: dict[str, object] = {}

    def telling(self, asked: Attributes) -> Telling:
        for rule in self.rules:
            if rule.fits(asked):
                omits = self.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
                return Telling(_LEVELS[rule.level], frozenset((*self.omit_stages, *rule.omit_stages)), omits)
        return Telling()


def read_policy(path: Path) -> Policy:
    """Raises BadPolicy."""
    import yaml

    try:
        policy = msgspec.convert(yaml.safe_load(path.read_text()), Policy)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadPolicy(f"--audit-policy-file {path}: {error}") from error
    if problem := next(_problems(policy.rules), ""):
        raise BadPolicy(f"--audit-policy-file {path}: {problem}")
    return policy


def _problems(rules: Sequence[Rule]) -> Iterator[str]:
    if not rules:
        yield "a policy needs rules"
    for i, rule in enumerate(rules):
        if rule.non_resource_urls and (rule.resources or rule.namespaces):
            yield f"rules[{i}].nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs"
        for url in rule.non_resource_urls:
            if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
                yield f"rules[{i}].nonResourceURLs: {url!r} must begin with a slash, and have no * but at its end"
        for resources in rule.resources:
            if resources.resource_names and not resources.resources:
                yield f"rules[{i}].resources: using resourceNames requires at least one resource"
            if "/" in resources.group:
                yield f"rules[{i}].resources: group {resources.group!r} must not have a version"


def _fits_resource(rule: str, asked: Attributes) -> bool:
    """`*`, `pods`, `pods/log`, `pods/*` or `*/log`."""
    if rule == "*":
        return True
    resource, slash, subresource = rule.partition("/")
    if not slash:
        return rule == asked.resource and not asked.subresource
    if resource == "*":
        return bool(asked.subresource) and subresource == asked.subresource
    return resource == asked.resource and subresource in ("*", asked.subresource)


def _fits_path(rule: str, path: str) -> bool:
    return rule == path or (rule.endswith("*") and path.startswith(rule.rstrip("*")))
