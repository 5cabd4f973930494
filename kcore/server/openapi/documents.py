"""The documents, rendered off the loop when first asked for and kept until the scheme changes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from kcore.api.documents import Expected
from kcore.api.kind import GroupVersion, Kind
from kcore.api.meta_v1 import (
    APIGroup,
    APIGroupList,
    APIResourceList,
    APIVersions,
    DeleteOptions,
    Status,
)
from kcore.api.scheme import Scheme
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.aggregation.documents import RemoteDocument
from kcore.server.body import expected_body
from kcore.server.openapi.custom_schemas import without_v3
from kcore.server.openapi.descriptions import describe_parameter, describe_type
from kcore.server.openapi.operations import Operation, discovery_operations, is_document, operations
from kcore.server.openapi.schemas import definitions, kind_definition_name

__all__ = ["OpenApi", "v3_url"]

_PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
_FLAGS = frozenset(
    (
        "allowWatchBookmarks",
        "follow",
        "force",
        "insecureSkipTLSVerifyBackend",
        "orphanDependents",
        "previous",
        "sendInitialEvents",
        "stderr",
        "stdin",
        "stdout",
        "timestamps",
        "tty",
        "watch",
    )
)
_NUMBERS = frozenset(("gracePeriodSeconds", "limit", "limitBytes", "sinceSeconds", "tailLines", "timeoutSeconds"))
_ERROR = "An error, as a Status."
_ERROR_TYPES = ("application/json", "application/yaml")
_STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"


class Rendered(NamedTuple):
    body: bytes
    etag: str


class OpenApi:
    """Version 2 in JSON and protobuf; version 3 as an index and one document a group and version."""

    def __init__(self, scheme: Scheme, version: str, aggregator: Aggregator | None = None) -> None:
        self._scheme = scheme
        self._aggregator = aggregator
        self._version = version
        self._generation = -1
        self._others = -1
        self._rendered: dict[str, asyncio.Future[Rendered]] = {}

    async def v2(self) -> Rendered:
        return await self._once(_V2, partial(self._render_v2, self._remote_documents()))

    async def v2_protobuf(self) -> Rendered:
        return await self._once(_V2_PROTOBUF, partial(self._render_v2_protobuf, self._remote_documents()))

    def _remote_documents(self) -> Sequence[RemoteDocument]:
        """What is merged into the second version, which is forgotten where that has changed."""
        if self._aggregator is None:
            return ()
        if self._others != self._aggregator.generation:
            self._others = self._aggregator.generation
            for key in (_V2, _V2_PROTOBUF):
                self._rendered.pop(key, None)
        return self._aggregator.swagger()

    async def v3(self, path: str) -> Rendered | None:
        """The document of `api/v1`, `apis/apps/v1`, ...; None where no such group and version is served."""
        for version in self._scheme.group_versions():
            if path == _relative(version):
                return await self._once(path, partial(self._render_v3, version))
        if path in self._discovery_paths():
            return await self._once(path, partial(self._render_v3_discovery, path))
        return None

    async def v3_index(self) -> bytes:
        """Where the documents are, with a hash each so that they can be cached for ever."""
        paths = {}
        for path in (*self._discovery_paths(), *map(_relative, self._scheme.group_versions())):
            # A group may go while another's document is rendered.
            if (document := await self.v3(path)) is not None:
                paths[path] = {"serverRelativeURL": v3_url(path, document)}
        if self._aggregator is not None:
            for backend in self._aggregator.backends.all():
                if link := self._aggregator.documents.openapi(backend.version):
                    paths[_relative(backend.version)] = {"serverRelativeURL": link}
        return msgspec.json.encode({"paths": dict(sorted(paths.items()))})

    def _discovery_paths(self) -> Sequence[str]:
        """Documents about documents: what is served, and in which version."""
        groups = dict.fromkeys(version.group for version in self._scheme.group_versions() if version.group)
        return ("version", "api", "apis", *(f"apis/{group}" for group in groups))

    async def _once(self, key: str, render: Callable[[], bytes]) -> Rendered:
        """Render in a thread; who asks meanwhile waits for the same rendering."""
        if self._generation != self._scheme.generation:
            self._generation = self._scheme.generation
            self._rendered = {}
        found = self._rendered.get(key)
        if found is None:
            found = self._rendered[key] = asyncio.ensure_future(asyncio.to_thread(_hashed, render))
        return await asyncio.shield(found)

    def _kinds(self, version: GroupVersion | None = None) -> list[Kind]:
        return [kind for kind in tuple(self._scheme) if version is None or kind.group_version == version]

    def _render_v2(self, others: Sequence[RemoteDocument]) -> bytes:
        return msgspec.json.encode(self._v2_tree(others))

    def _render_v2_protobuf(self, others: Sequence[RemoteDocument]) -> bytes:
        # Loaded with the first old kubectl: protobuf and YAML take a while, and a server should start soon.
        from kcore.server.openapi.v2_protobuf import encode_v2

        return encode_v2(self._v2_tree(others))

    def _v2_tree(self, others: Sequence[RemoteDocument] = ()) -> dict[str, Any]:
        kinds = self._kinds()
        prefix = "#/definitions/"
        found = definitions(kinds, _bodies(kinds), prefix)
        for kind in kinds:
            if kind.definition is not None:
                name = kind_definition_name(kind)
                found[name] = without_v3(found[name])
        tree = {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": self._version},
            "paths": _paths(self._operations(kinds), lambda operation: _v2_operation(operation, prefix)),
            "definitions": _with_patch(found),
        }
        if others:
            from kcore.server.openapi.merging import merge  # few clusters have other servers

            merge(tree, others)
        return tree

    def _operations(self, kinds: Iterable[Kind], root: str = "/") -> Iterator[Operation]:
        """Those of kinds, and of the documents that lie where they do."""
        for kind in kinds:
            yield from operations(kind)
        yield from (each for each in discovery_operations(self._scheme) if each.path.startswith(root))

    def _render_v3(self, version: GroupVersion) -> bytes:
        kinds = self._kinds(version)
        found = definitions(kinds, _bodies(kinds), _V3)
        return self._document(self._operations(kinds, f"/{_relative(version)}/"), _with_patch(found))

    def _render_v3_discovery(self, path: str) -> bytes:
        told = [each for each in discovery_operations(self._scheme) if each.path == f"/{path}/"]
        return self._document(told, definitions((), _DOCUMENTS, _V3))

    def _document(self, told: Iterable[Operation], schemas: dict[str, Any]) -> bytes:
        return msgspec.json.encode(
            {
                "openapi": "3.0.0",
                "info": {"title": "Kubernetes", "version": self._version},
                "paths": _paths(told, lambda operation: _v3_operation(operation, _V3)),
                "components": {"schemas": schemas},
            }
        )


_V2, _V2_PROTOBUF = "v2", "v2 in protobuf"
_V3 = "#/components/schemas/"


def v3_url(path: str, document: Rendered) -> str:
    """Where a document is, whatever becomes of it later."""
    return f"/openapi/v3/{path}?hash={document.etag}"


# What is answered besides the kinds: by every operation, or by those that tell what is served.
_DOCUMENTS = tuple(
    Expected(type_, "", "v1") for type_ in (Status, APIVersions, APIGroupList, APIGroup, APIResourceList)
)


def _relative(version: GroupVersion) -> str:
    return f"apis/{version}" if version.group else f"api/{version}"


def _hashed(render: Callable[[], bytes]) -> Rendered:
    body = render()
    return Rendered(body, hashlib.sha512(body).hexdigest().upper())


def _bodies(kinds: Iterable[Kind]) -> Sequence[Expected]:
    """What is sent or answered besides the kinds themselves."""
    found: dict[Expected, None] = dict.fromkeys(_DOCUMENTS)
    for kind in kinds:
        found[Expected(DeleteOptions, kind.group, kind.version)] = None
        for subresource in kind.subresources:
            if subresource.kind != kind.name and is_document(subresource):
                found[expected_body(kind, subresource.name)] = None
    of_kinds = {kind.type for kind in kinds}
    return [body for body in found if body.type not in of_kinds]


def _with_patch(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, _PATCH: {"description": describe_type("Patch"), "type": "object"}}


def _paths(told: Iterable[Operation], describe: Callable[[Operation], dict[str, Any]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in told:
        paths.setdefault(operation.path, {})[operation.method] = describe(operation)
    return dict(sorted(paths.items()))


def _common(operation: Operation) -> dict[str, Any]:
    if not operation.kind:
        return {"description": operation.description, "tags": ["discovery"], "operationId": operation.id}
    tag = f"{operation.group.partition('.')[0] or 'core'}_{operation.version}"
    gvk = {"group": operation.group, "version": operation.version, "kind": operation.kind}
    return {
        "description": operation.description,
        "tags": [tag],
        "operationId": operation.id,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": gvk,
    }


def _type_of(parameter: str) -> str:
    return "boolean" if parameter in _FLAGS else "integer" if parameter in _NUMBERS else "string"


def _v2_operation(operation: Operation, prefix: str) -> dict[str, Any]:
    parameters = [{**_parameter("path", name), "required": True, "type": "string"} for name in operation.parameters]
    parameters += [
        {**_parameter("query", name), "type": _type_of(name), "uniqueItems": True} for name in operation.query
    ]
    if operation.body:
        required = operation.method != "delete"
        body = {"in": "body", "name": "body", "schema": {"$ref": prefix + operation.body}}
        parameters.append({**body, "required": True} if required else body)
    answer = {"description": "OK", "schema": _answered(operation, prefix)}
    error = {"description": _ERROR, "schema": {"$ref": prefix + _STATUS}}
    return {
        **_common(operation),
        "consumes": list(operation.consumes),
        "produces": list(operation.produces),
        "parameters": parameters,
        "responses": {**{str(code): answer for code in operation.codes}, "default": error},
    }


def _parameter(place: str, name: str) -> dict[str, Any]:
    return {"description": describe_parameter(name), "in": place, "name": name}


def _answered(operation: Operation, prefix: str) -> dict[str, Any]:
    return {"$ref": prefix + operation.answer} if operation.answer else {"type": "string"}


def _v3_operation(operation: Operation, prefix: str) -> dict[str, Any]:
    parameters = [
        {**_parameter("path", name), "required": True, "schema": {"type": "string"}} for name in operation.parameters
    ]
    parameters += [{**_parameter("query", name), "schema": {"type": _type_of(name)}} for name in operation.query]
    content = {key: {"schema": _answered(operation, prefix)} for key in operation.produces}
    error = {key: {"schema": {"$ref": prefix + _STATUS}} for key in _ERROR_TYPES}
    described: dict[str, Any] = {
        **_common(operation),
        "parameters": parameters,
        "responses": {
            **{str(code): {"description": "OK", "content": content} for code in operation.codes},
            "default": {"description": _ERROR, "content": error},
        },
    }
    if operation.body:
        accepted = operation.consumes
        schema = {"schema": {"$ref": prefix + operation.body}}
        described["requestBody"] = {"content": dict.fromkeys(accepted, schema)}
    return described
