"""Requests for resources: one recipe per verb, from the address to the registry and back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from kcore.api.documents import Expected, decode_document
from kcore.api.errors import ApiError, Invalid, NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import CustomResource
from kcore.kit.clock import Chance, Clock
from kcore.kit.offload import beside, is_much
from kcore.registry.converting import NotConverted, converted
from kcore.registry.request import ListOptions, PatchType, Request, User
from kcore.registry.verbs import Registry
from kcore.server.address import Address
from kcore.server.body import expected_body, media_type, read_body, read_document
from kcore.server.connecting.connecter import CONNECTED, Connecter
from kcore.server.errors import error_reply, method_not_allowed, unsupported_patch
from kcore.server.event_socket import EventSocket
from kcore.server.metrics import labels_of
from kcore.server.negotiation import Representation, error_media_type, including, negotiate_watch, represented
from kcore.server.query import (
    Query,
    WriteOptions,
    agent_name,
    delete_options,
    dry_run_errors,
    list_options,
    write_options,
)
from kcore.server.response import Reply, warnings
from kcore.server.stream import EventStream, Lines, cached_lines, table_lines
from kcore.server.views import Views
from kcore.server.websocket import wants_websocket

if TYPE_CHECKING:
    from kcore.server.audit.event import Audited

__all__ = ["Call", "Resources"]

# The verbs whose address ends in a name. (A watch may too, in its legacy form.)
_OF_ONE = frozenset(("get", "update", "patch", "delete"))
_PATCH_TYPES = {patch_type.value: patch_type for patch_type in PatchType}


class Call(msgspec.Struct):
    """A request that has been understood and allowed."""

    request: web.BaseRequest
    user: User
    verb: str
    address: Address
    query: Query
    warnings: list[str]
    """What the client is to be told besides the answer, or besides the error."""

    audited: Audited | None = None

    def told(self, body: bytes, yaml: bool = False) -> None:
        """Let the audit know what came with the request."""
        if self.audited is not None:
            self.audited.requested(body, yaml=yaml)


class Resources:
    """Answers for every resource of the registry's scheme."""

    def __init__(self, registry: Registry, clock: Clock, chance: Chance, connecter: Connecter) -> None:
        self._registry = registry
        self._connecter = connecter
        self._views = Views(clock)
        self._chance = chance
        self._reads = {"get": self._get, "watch": self._watch}
        self._awaited = {
            "list": self._list,
            "create": self._write,
            "update": self._write,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        self._lines: dict[tuple[Kind, Representation], Lines] = {}

    def is_nowhere(self, address: Address) -> bool:
        """Whether an address lies in a group of custom resources, but none of them is there: a page not found."""
        scheme = self._registry.scheme
        kind = scheme.find(address.group, address.version, address.resource)
        if kind is None:
            return any(other.group == address.group and other.definition is not None for other in scheme)
        return kind.definition is not None and bool(address.namespace) and not kind.namespaced

    async def answer(self, call: Call) -> web.StreamResponse:
        """Raises ApiError."""
        kind = self._kind(call)
        if kind.deprecation:
            call.warnings.append(kind.deprecation)
        try:
            if call.address.subresource in CONNECTED and kind.definition is None:
                return await self._connecter.answer(call)
            read = self._reads.get(call.verb)
            if read is None:
                return await self._awaited[call.verb](kind, call)
            try:
                return read(kind, call)
            except NotConverted as missing:
                return await converted(lambda: read(kind, call), missing)
        except ApiError as error:
            if not call.warnings:
                raise
            media_type = error_media_type(call.request.headers.get("Accept", ""))
            return error_reply(error, warnings(call.warnings), media_type)

    def _kind(self, call: Call) -> Kind:
        """The kind served at the address. Raises NotFound or MethodNotAllowed as the routes upstream would."""
        address = call.address
        kind = self._registry.scheme.find(address.group, address.version, address.resource)
        if kind is None or (address.namespace and not kind.namespaced):
            raise NotFound.path()
        if kind.namespaced and not address.namespace:
            return _across_namespaces(kind, call)
        if address.subresource:
            subresource = kind.subresource(address.subresource)
            if subresource is None and kind.definition is not None and address.subresource in ("scale", "status"):
                raise NotFound.of(kind, address.name)
            if subresource is None or (address.rest and address.subresource != "proxy"):
                raise NotFound.path()
            if call.verb not in subresource.verbs and address.subresource != "proxy":
                raise method_not_allowed()
        elif call.verb not in kind.verbs or (bool(address.name) != (call.verb in _OF_ONE) and not address.watch):
            raise method_not_allowed()
        return kind

    def _get(self, kind: Kind, call: Call) -> Reply:
        representation = self._representation(call)
        req = self._request(kind, call)
        record = self._registry.get(req, call.query.get("resourceVersion"))
        return _reply(req, self._views.answer(kind, record, representation), representation)

    async def _list(self, kind: Kind, call: Call) -> Reply:
        representation = self._representation(call, "watch" in kind.verbs)
        req, options = self._request(kind, call), list_options(call.query)
        page = await converted(lambda: self._registry.list(req, options))
        return _reply(req, await self._views.list(kind, page, representation), representation)

    def _watch(self, kind: Kind, call: Call) -> web.StreamResponse:
        representation = including(negotiate_watch(call.request.headers.get("Accept", "")), call.query)
        req = self._request(kind, call)
        options = list_options(call.query)
        if call.address.name:
            options = _of_one_name(options, call.address.name)
        watch = self._registry.watch(req, options)
        # Upstream's default: between 30 and 60 minutes, at random so that clients do not come back all at once.
        timeout = watch.timeout_seconds or self._chance.jitter(1800, 1)
        lines = self._lines_of(kind, representation)
        labels = labels_of("watch", call.address)
        if wants_websocket(call.request.headers):
            return EventSocket(call.request, watch, lines, timeout, labels)
        return EventStream(watch, lines, timeout, labels, warnings(req.warnings))

    def _lines_of(self, kind: Kind, representation: Representation) -> Lines:
        lines = self._lines.get((kind, representation))
        if lines is None or kind.definition is not None:  # a definition may have changed what tables show
            lines = self._lines[kind, representation] = cached_lines(self._views.line(kind, representation))
        if representation.form == "Table":
            return table_lines(self._views.line(kind, representation, columns=True), lines)
        return lines

    async def _write(self, kind: Kind, call: Call) -> Reply:
        """Create or update."""
        representation = self._representation(call)
        options = write_options(call.query, call.verb)
        body, yaml = await read_document(call.request)
        call.told(body, yaml)
        req = self._request(kind, call)
        req.size = len(body)
        req.dry_run, req.field_manager = options.dry_run, _author(options, call)
        req.field_validation, req.options = options.field_validation, options.given
        expected = expected_body(kind, call.address.subresource)
        decode = partial(
            decode_document,
            body,
            expected,
            self._registry.scheme,
            yaml=yaml,
            field_validation=options.field_validation,
            warnings=req.findings if expected.type is CustomResource else req.warnings,
        )
        obj = await beside(len(body), decode) if is_much(len(body)) else decode()
        verb = self._registry.create if call.verb == "create" else self._registry.update
        answer = await verb(req, obj)
        return _reply(req, self._views.answer(kind, answer, representation), representation)

    async def _patch(self, kind: Kind, call: Call) -> Reply:
        patch_type = _PATCH_TYPES.get(media_type(call.request.headers.get("Content-Type", "")))
        if patch_type is None:
            raise unsupported_patch()
        representation = self._representation(call)
        options = write_options(call.query, "patch", patch_type is PatchType.APPLY)
        req = self._request(kind, call)
        req.dry_run, req.force = options.dry_run, bool(options.force)
        req.field_validation, req.options = options.field_validation, options.given
        req.field_manager = _author(options, call)
        body = await read_body(call.request)
        call.told(body, patch_type is PatchType.APPLY)
        req.size = len(body)
        answer = await self._registry.patch(req, patch_type, body)
        return _reply(req, self._views.answer(kind, answer, representation), representation)

    async def _delete(self, kind: Kind, call: Call) -> Reply:
        representation = self._representation(call)
        req = self._request(kind, call)
        options = await self._delete_options(req, call)
        answer = await self._registry.delete(req, options)
        return _reply(req, self._views.answer(kind, answer, representation), representation)

    async def _delete_collection(self, kind: Kind, call: Call) -> Reply:
        representation = self._representation(call)
        req = self._request(kind, call)
        options = await self._delete_options(req, call)
        page = await self._registry.delete_collection(req, options, list_options(call.query))
        return _reply(req, await self._views.list(kind, page, representation), representation)

    async def _delete_options(self, req: Request, call: Call) -> DeleteOptions:
        """From the body, or, where there is none, from the query."""
        body, yaml = await read_document(call.request) if call.request.can_read_body else (b"", False)
        call.told(body, yaml)
        if body:
            expected = Expected(DeleteOptions, "meta.k8s.io", "v1")
            options: DeleteOptions = decode_document(body, expected, self._registry.scheme, yaml=yaml)
        else:
            options = delete_options(call.query)
        errors = list(dry_run_errors(options.dry_run))
        if errors:
            raise Invalid.named("meta.k8s.io", "DeleteOptions", "", errors)
        req.dry_run = bool(options.dry_run)
        return options

    @staticmethod
    def _representation(call: Call, streams: bool = False) -> Representation:
        headers = call.request.headers
        return represented(headers.get("Accept", ""), call.query, headers.get("User-Agent", ""), streams)

    @staticmethod
    def _request(kind: Kind, call: Call) -> Request:
        address = call.address
        return Request(
            call.verb,
            kind,
            address.namespace,
            address.name,
            call.user,
            address.subresource,
            warnings=call.warnings,
            annotations=None if call.audited is None else call.audited.annotations,
        )


def _author(options: WriteOptions, call: Call) -> str:
    """Whom the fields that are written belong to."""
    return options.field_manager or agent_name(call.request.headers.get("User-Agent", ""))


def _across_namespaces(kind: Kind, call: Call) -> Kind:
    """A namespaced kind without a namespace: it can be listed and watched there, if at all."""
    if call.address.name and not (call.address.watch and not call.address.subresource):
        raise NotFound.path()
    if "list" not in kind.verbs:
        raise NotFound.path()
    if call.verb not in ("list", "watch") or call.verb not in kind.verbs:
        raise method_not_allowed()
    return kind


def _of_one_name(options: ListOptions, name: str) -> ListOptions:
    """The legacy path `/watch/.../NAME` means a field selector."""
    selector = f"metadata.name={name}"
    return options._replace(
        field_selector=f"{options.field_selector},{selector}" if options.field_selector else selector
    )


def _reply(req: Request, body: bytes, representation: Representation) -> Reply:
    return Reply(req.code, body, representation.media_type, warnings(req.warnings) if req.warnings else b"")
