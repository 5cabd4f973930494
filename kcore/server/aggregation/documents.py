"""What aggregated API servers say of themselves, as it was last read: for discovery and the index of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from kcore.api.kind import GroupVersion
from kcore.server.aggregation.backends import Backend

__all__ = ["RemoteDocument", "RemoteDocuments", "discovered"]


class RemoteDocument(NamedTuple):
    """What a server says in OpenAPI's second version, for the sake of one group and version."""

    version: GroupVersion
    body: bytes


class _Resource(msgspec.Struct, rename="camel"):
    name: str
    kind: str = ""
    group: str = ""
    version: str = ""
    namespaced: bool = False
    singular_name: str = ""
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class _Resources(msgspec.Struct):
    resources: tuple[_Resource, ...] = ()


class _Link(msgspec.Struct, rename={"url": "serverRelativeURL"}):
    url: str = ""


class _Index(msgspec.Struct):
    paths: Mapping[str, _Link] = {}


class _Known(NamedTuple):
    resources: bytes
    links: bytes
    openapi: str
    swagger: bytes


class RemoteDocuments:
    """`generation` grows with every change."""

    def __init__(self) -> None:
        self.generation = 0
        self._known: dict[GroupVersion, _Known] = {}

    def knows(self, backend: Backend, resources: bytes, index: bytes) -> bool:
        """Whether nothing has changed since it was read. An index has a hash of each of its documents."""
        known = self._known.get(backend.version)
        return known is not None and bool(index) and (known.resources, known.links) == (resources, index)

    def learn(self, backend: Backend, resources: bytes, index: bytes, swagger: bytes) -> None:
        """`index`: that of OpenAPI's third version; `swagger`: the second. What cannot be read is as good as none."""
        known = _Known(resources, index, _openapi_link(index, f"apis/{backend.version}"), swagger)
        if self._known.get(backend.version) != known:
            self._known[backend.version] = known
            self.generation += 1

    def openapi(self, version: GroupVersion) -> str:
        """The URL, on this server, of the third version's document; "" where the other server has none."""
        known = self._known.get(version)
        return known.openapi if known is not None else ""

    def swagger(self, version: GroupVersion) -> bytes:
        """The second version's document, of all that the other server serves; b"" where it has none."""
        known = self._known.get(version)
        return known.swagger if known is not None else b""

    def resources(self, version: GroupVersion) -> Sequence[dict[str, Any]]:
        """The rows of aggregated discovery (apidiscovery.k8s.io)."""
        known = self._known.get(version)
        return discovered(version, known.resources) if known is not None else ()


def _openapi_link(index: bytes, path: str) -> str:
    try:
        found = msgspec.json.decode(index, type=_Index).paths.get(path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    link = found.url if found is not None else ""
    return link if link.startswith(f"/openapi/v3/{path}") else ""


def discovered(version: GroupVersion, document: bytes) -> Sequence[dict[str, Any]]:
    """An APIResourceList as aggregated discovery tells it: subresources below their resources."""
    try:
        listed = msgspec.json.decode(document, type=_Resources).resources
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    rows: dict[str, dict[str, Any]] = {}
    for resource in listed:
        name, _, below = resource.name.partition("/")
        kind = {
            "group": resource.group or version.group,
            "version": resource.version or version.version,
            "kind": resource.kind,
        }
        scope = "Namespaced" if resource.namespaced else "Cluster"
        row = rows.setdefault(name, {"resource": name, "scope": scope})
        if below:
            found = {"subresource": below, "responseKind": kind, "verbs": resource.verbs}
            row.setdefault("subresources", []).append(found)
            continue
        row |= {"responseKind": kind, "singularResource": resource.singular_name, "verbs": resource.verbs}
        if resource.short_names:
            row["shortNames"] = resource.short_names
        if resource.categories:
            row["categories"] = resource.categories
    return list(rows.values())
