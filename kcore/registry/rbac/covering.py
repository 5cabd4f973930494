"""Nobody grants what they do not hold: whether rules are covered by others, and what is said when they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from kcore.api.field import quote
from kcore.api.rbac_v1 import PolicyRule
from kcore.registry.access import Authorizer
from kcore.registry.request import User

__all__ = ["escalation", "missing_rules"]


def escalation(authorizer: Authorizer, user: User, rules: Sequence[PolicyRule], namespace: str) -> str:
    """Why a user may not grant these rules, in upstream's words; "" where they hold all of them."""
    granted = authorizer.rules(user, namespace)
    held, errors = granted.rules, granted.errors
    missing = missing_rules(held, rules)
    if not missing:
        return ""
    lines = sorted({_described(rule) for rule in _compacted(missing)})
    what = f"user {quote(user.name)} (groups={_quoted(user.groups)}) is attempting to grant RBAC permissions"
    said = f"{what} not currently held:\n" + "\n".join(lines)
    return f"{said}; resolution errors: [{', '.join(errors)}]" if errors else said


def missing_rules(held: Sequence[PolicyRule], wanted: Sequence[PolicyRule]) -> list[PolicyRule]:
    """The smallest parts of the wanted rules that no held rule covers."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(each, part) for each in held)]


def _parts(rule: PolicyRule) -> Iterator[PolicyRule]:
    """Rules that say one thing each."""
    for group in rule.api_groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                part = PolicyRule(api_groups=(group,), resources=(resource,), verbs=(verb,))
                if not rule.resource_names:
                    yield part
                for name in rule.resource_names:
                    yield replace(part, resource_names=(name,))
    for url in rule.non_resource_urls:
        for verb in rule.verbs:
            yield PolicyRule(non_resource_urls=(url,), verbs=(verb,))


def _covers(held: PolicyRule, part: PolicyRule) -> bool:
    return (
        _has_all(held.verbs, part.verbs)
        and _has_all(held.api_groups, part.api_groups)
        and all(_covers_resource(held.resources, resource) for resource in part.resources)
        and all(_covers_url(held.non_resource_urls, url) for url in part.non_resource_urls)
        and _covers_names(held.resource_names, part.resource_names)
    )


def _has_all(held: Sequence[str], wanted: Sequence[str]) -> bool:
    return "*" in held or all(each in held for each in wanted)


def _covers_resource(held: Sequence[str], wanted: str) -> bool:
    _, slash, subresource = wanted.partition("/")
    return "*" in held or wanted in held or (slash != "" and f"*/{subresource}" in held)


def _covers_url(held: Sequence[str], wanted: str) -> bool:
    return any(url == wanted or (url.endswith("*") and wanted.startswith(url[:-1])) for url in held)


def _covers_names(held: Sequence[str], wanted: Sequence[str]) -> bool:
    """A rule without names is about all of them."""
    return not held or (bool(wanted) and all(name in held for name in wanted))


def _compacted(parts: Sequence[PolicyRule]) -> list[PolicyRule]:
    """Parts about the same resource as one rule with all their verbs."""
    compacted: dict[tuple[tuple[str, ...], ...], PolicyRule] = {}
    for part in parts:
        urls = part.non_resource_urls
        verbs = part.verbs if urls else ()  # what is no resource stays as it is
        key = (part.api_groups, part.resources, part.resource_names, urls, verbs)
        same = compacted.get(key)
        compacted[key] = part if same is None or urls else replace(same, verbs=same.verbs + part.verbs)
    return list(compacted.values())


def _described(rule: PolicyRule) -> str:
    fields = (
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.non_resource_urls),
        ("ResourceNames", rule.resource_names),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:{_quoted(values)}" for name, values in fields if values) + "}"


def _quoted(values: Sequence[str]) -> str:
    """As Go's %q prints a slice."""
    return f"[{' '.join(map(quote, values))}]"
