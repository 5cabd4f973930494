"""The rules that one subject holds in one scope, so that a question costs lookups and no scan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcore.api.rbac_v1 import PolicyRule

__all__ = ["ResourceKey", "Table", "resource_keys"]

ResourceKey = tuple[str, str, str]
"""Verb, group, resource as a rule may name them: `("get", "", "pods/log")`, `("*", "apps", "*/scale")`."""


def resource_keys(verb: str, group: str, resource: str, subresource: str) -> Sequence[ResourceKey]:
    """Every way in which a rule could allow it."""
    if subresource:
        names: tuple[str, ...] = (f"{resource}/{subresource}", "*", f"*/{subresource}")
    else:
        names = (resource, "*")
    return [(v, g, r) for v in (verb, "*") for g in (group, "*") for r in names]


class Table:
    """What is allowed, each with the reason that is told."""

    __slots__ = ("_lengths", "_named", "_open", "_paths", "_prefixes")

    def __init__(self) -> None:
        self._open: dict[ResourceKey, str] = {}
        self._named: dict[ResourceKey, dict[str, str]] = {}
        self._paths: dict[tuple[str, str], str] = {}
        self._prefixes: dict[tuple[str, str], str] = {}
        self._lengths: tuple[int, ...] = ()

    def add(self, rules: Iterable[PolicyRule], reason: str) -> None:
        """The first reason for a thing stays."""
        for rule in rules:
            for verb in rule.verbs:
                for group in rule.api_groups:
                    for resource in rule.resources:
                        self._allow((verb, group, resource), rule.resource_names, reason)
                for url in rule.non_resource_urls:
                    paths = self._prefixes if url.endswith("*") else self._paths
                    paths.setdefault((verb, url.removesuffix("*")), reason)
        self._lengths = tuple({len(prefix) for _, prefix in self._prefixes})

    def _allow(self, key: ResourceKey, names: Sequence[str], reason: str) -> None:
        if not names:
            self._open.setdefault(key, reason)
            return
        named = self._named.setdefault(key, {})
        for name in names:
            named.setdefault(name, reason)

    def resource(self, keys: Sequence[ResourceKey], name: str) -> str | None:
        """Why one of the keys is allowed, for an object of that name; None: it is not."""
        allowed = self._open
        for key in keys:
            if key in allowed:
                return allowed[key]
        if name and self._named:
            for key in keys:
                named = self._named.get(key)
                if named and name in named:
                    return named[name]
        return None

    def path(self, verb: str, path: str) -> str | None:
        for each in (verb, "*"):
            if (each, path) in self._paths:
                return self._paths[each, path]
            for length in self._lengths:
                reason = self._prefixes.get((each, path[:length])) if length <= len(path) else None
                if reason is not None:
                    return reason
        return None
