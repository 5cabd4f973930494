"""What is served here: the documents under `/api` and `/apis`, in their single and aggregated forms.

Rendered when first asked for and kept until the scheme changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kcore.api.kind import GroupVersion, Kind
from kcore.api.scheme import Scheme
from kcore.registry.custom.serving import version_priority
from kcore.registry.group_priorities import priority_of
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.aggregation.backends import Backend

__all__ = ["Discovery"]


class Discovery:
    """The documents of one scheme, and of the servers behind this one, as JSON bytes by path.

    `address` tells where clients reach the server."""

    def __init__(self, scheme: Scheme, address: Callable[[], str], aggregator: Aggregator | None = None) -> None:
        self._scheme = scheme
        self._address = address
        self._aggregator = aggregator
        self._generation: object = None
        self._documents: dict[str, bytes] = {}
        self._aggregated: dict[str, tuple[bytes, str]] = {}

    def document(self, path: str) -> bytes | None:
        """The document at `/api`, `/apis`, `/apis/GROUP` or `/apis/GROUP/VERSION`; None: nothing is served there."""
        self._refresh()
        return self._documents.get(path)

    def aggregated(self, path: str) -> tuple[bytes, str] | None:
        """The APIGroupDiscoveryList at `/api` or `/apis`, and its ETag."""
        self._refresh()
        found = self._aggregated.get(path)
        if found is None and path in ("/api", "/apis"):
            body = msgspec.json.encode(aggregate(self._scheme, self._aggregator, core=path == "/api"))
            found = self._aggregated[path] = body, hashlib.sha512(body).hexdigest().upper()
        return found

    def paths(self) -> list[str]:
        """Where there is a document, as far as groups are listed."""
        self._refresh()
        return [path for path in self._documents if is_listed(path.removeprefix("/apis/").partition("/")[0])]

    def serves_group(self, group: str) -> bool:
        self._refresh()
        return f"/apis/{group}" in self._documents

    def _refresh(self) -> None:
        generation: object = self._scheme.generation
        if self._aggregator is not None:
            generation = generation, self._aggregator.generation
        if self._generation == generation:
            return
        self._generation = generation
        self._aggregated.clear()
        found = documents(self._scheme, self._address(), self._aggregator)
        self._documents = {path: msgspec.json.encode(document) for path, document in found.items()}


def documents(scheme: Scheme, address: str, aggregator: Aggregator | None = None) -> dict[str, dict[str, Any]]:
    """Every unaggregated document by its path, but for the resources that other servers tell themselves."""
    cidrs = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    found: dict[str, dict[str, Any]] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs}
    }
    groups = []
    for name, versions in groups_of(scheme, aggregator):
        for version in versions:
            if _behind(version, aggregator) is not None:
                continue
            resources = [resource for kind in kinds_of(scheme, version) for resource in api_resources(kind)]
            document: dict[str, Any] = {"kind": "APIResourceList"}
            if name:
                document["apiVersion"] = "v1"  # upstream leaves it out for the core group
            document |= {"groupVersion": str(version), "resources": resources}
            found[f"/apis/{version}" if name else f"/api/{version}"] = document
        if name:
            offered = [{"groupVersion": str(version), "version": version.version} for version in versions]
            group = {"name": name, "versions": offered, "preferredVersion": offered[0]}
            if is_listed(name):
                groups.append(group)
            found[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **group}
    found["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    return found


def is_listed(group: str) -> bool:
    """kcore's own groups are there for who knows of them; what lists the groups looks as upstream's does."""
    return not group.endswith(".kcore.dev")


def groups_of(scheme: Scheme, aggregator: Aggregator | None = None) -> list[tuple[str, list[GroupVersion]]]:
    """Groups and their versions, the preferred ones first."""
    priorities = {version: priority_of(version) for version in scheme.group_versions()}
    if aggregator is not None:
        priorities |= {backend.version: backend.priority for backend in aggregator.backends.all()}
    groups: dict[str, list[GroupVersion]] = {}
    for version in sorted(priorities, key=lambda v: (-priorities[v].version, version_priority(v.version))):
        groups.setdefault(version.group, []).append(version)
    return sorted(groups.items(), key=lambda group: (-max(priorities[v].group for v in group[1]), group[0]))


def _behind(version: GroupVersion, aggregator: Aggregator | None) -> Backend | None:
    return aggregator.backends.find(version.group, version.version) if aggregator is not None else None


def kinds_of(scheme: Scheme, version: GroupVersion) -> Sequence[Kind]:
    """The resources of a group and version, by path."""
    return sorted((kind for kind in scheme if kind.group_version == version), key=lambda kind: kind.plural)


def api_resources(kind: Kind) -> list[dict[str, Any]]:
    """A resource and its subresources, as rows of an APIResourceList."""
    row: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": kind.verbs,
    }
    if kind.short_names:
        row["shortNames"] = kind.short_names
    if kind.categories:
        row["categories"] = kind.categories
    if set(kind.verbs) >= {"create", "list"}:
        row["storageVersionHash"] = kind.storage_version_hash
    rows = [row]
    for subresource in sorted(kind.subresources, key=lambda s: s.name):
        below = {"name": f"{kind.plural}/{subresource.name}", "singularName": "", "namespaced": kind.namespaced}
        if subresource.version:
            below |= {"group": subresource.group, "version": subresource.version}
        rows.append({**below, "kind": subresource.kind, "verbs": subresource.verbs})
    return rows


def aggregate(scheme: Scheme, aggregator: Aggregator | None = None, *, core: bool) -> dict[str, Any]:
    """The APIGroupDiscoveryList of the core group or of all others (KEP-3352)."""
    items = []
    for name, versions in groups_of(scheme, aggregator):
        if (not name) != core or not is_listed(name):
            continue
        offered = []
        for version in versions:
            fresh, resources = True, [api_resource_discovery(kind) for kind in kinds_of(scheme, version)]
            if aggregator is not None and (backend := _behind(version, aggregator)) is not None:
                fresh, resources = backend.available, list(aggregator.documents.resources(version))
            freshness = "Current" if fresh else "Stale"
            offered.append({"version": version.version, "resources": resources, "freshness": freshness})
        items.append({"metadata": {"name": name} if name else {}, "versions": offered})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def api_resource_discovery(kind: Kind) -> dict[str, Any]:
    # Upstream leaves out where a built-in resource's own kind is from.
    group, version = (kind.group, kind.version) if kind.definition is not None else ("", "")
    row: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": group, "version": version, "kind": kind.name},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    }
    if kind.short_names:
        row["shortNames"] = kind.short_names
    if kind.categories:
        row["categories"] = kind.categories
    below = [
        {
            "subresource": subresource.name,
            "responseKind": {"group": subresource.group, "version": subresource.version, "kind": subresource.kind},
            "verbs": subresource.verbs,
        }
        for subresource in sorted(kind.subresources, key=lambda s: s.name)
    ]
    if below:
        row["subresources"] = below
    return row
