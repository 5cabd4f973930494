"""The client of those who live elsewhere: the same verbs over HTTP, against kcore or any other API server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from kcore.api import errors
from kcore.api.autoscaling_v1 import Scale
from kcore.api.decoding import decoder
from kcore.api.errors import ApiError, InternalError, ServiceUnavailable
from kcore.api.kind import Kind, parse_api_version
from kcore.api.meta_v1 import DeleteOptions, ListMeta, Status
from kcore.api.object import Object
from kcore.api.schema import Struct, fill
from kcore.api.scheme import Scheme
from kcore.client.client import Listed, PatchType, WatchEvent, WatchType
from kcore.client.kubeconfig import Access

__all__ = ["HttpClient", "error_of"]

T = TypeVar("T", bound=Object)

_encode = msgspec.json.Encoder().encode
_ERRORS: dict[str, type[ApiError]] = {
    error.reason: error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, ApiError)
}


class _Document(msgspec.Struct, rename="camel"):
    kind: str = ""
    api_version: str = ""


class _List(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] | None = None
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class HttpClient:
    """A `Client` over one connection pool. `open` makes one."""

    def __init__(
        self, session: aiohttp.ClientSession, access: Access, scheme: Scheme, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._session = session
        self._access = access
        self._scheme = scheme
        self._headers = (*headers, ("Authorization", f"Bearer {access.token}")) if access.token else tuple(headers)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        access: Access,
        scheme: Scheme | None = None,
        *,
        agent: str = "kcore",
        connector: aiohttp.BaseConnector | None = None,
    ) -> AsyncIterator[HttpClient]:
        """A client whose connections live as long as the context.

        `agent`: what it calls itself, and by that the manager of the fields that it writes.
        """
        connector = connector or aiohttp.TCPConnector(ssl=access.tls or True, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, connect=30)
        headers = {"User-Agent": agent}
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            yield cls(session, access, scheme or Scheme())

    @property
    def scheme(self) -> Scheme:
        return self._scheme

    def as_user(self, name: str, groups: Sequence[str] = ()) -> HttpClient:
        """Impersonation: the credentials stay, the server checks whether they may speak for `name`."""
        headers = [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]
        return HttpClient(self._session, self._access, self._scheme, headers)

    async def get(self, kind: type[T] | Kind, name: str, namespace: str = "") -> T:
        kind = self._kind(kind)
        found: T = _decode(kind, await self._send("GET", _path(kind, namespace, name)))
        return found

    async def get_scale(self, kind: type[Any] | Kind, name: str, namespace: str = "") -> Scale:
        return _scale(await self._send("GET", _path(self._kind(kind), namespace, name, "scale")))

    async def set_scale(self, kind: type[Any] | Kind, scale: Scale) -> Scale:
        path = _path(self._kind(kind), scale.metadata.namespace, scale.metadata.name, "scale")
        body = _encode(msgspec.structs.replace(scale, kind="Scale", api_version="autoscaling/v1"))
        return _scale(await self._send("PUT", path, body=body))

    async def fetch(self, path: str, query: Mapping[str, str]) -> Any:
        return msgspec.json.decode(await self._send("GET", path, query))

    async def list(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_: str = "",
    ) -> Listed[T]:
        kind = self._kind(kind)
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "limit": str(limit or ""),
            "continue": continue_,
        }
        answer = msgspec.json.decode(await self._send("GET", _path(kind, namespace), query), type=_List)
        items = [_decode(kind, item) for item in answer.items or ()]
        return Listed(items, answer.metadata.resource_version, answer.metadata.continue_)

    @asynccontextmanager
    async def watch(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[AsyncIterator[Sequence[WatchEvent[T]]]]:
        kind = self._kind(kind)
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "allowWatchBookmarks": "true" if bookmarks else "",
        }
        async with self._request("GET", _path(kind, namespace), query) as response:
            yield _batches(kind, response)

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        kind = self._kind(type(obj))
        query = {"dryRun": "All" if dry_run else ""}
        answer = await self._send("POST", _path(kind, obj.metadata.namespace), query, _document(kind, obj))
        created: T = _decode(kind, answer)
        return created

    async def update(self, obj: T, *, subresource: str = "") -> T:
        kind, metadata = self._kind(type(obj)), obj.metadata
        path = _path(kind, metadata.namespace, metadata.name, subresource)
        updated: T = _decode(kind, await self._send("PUT", path, body=_document(kind, obj)))
        return updated

    async def patch(
        self,
        kind: type[T] | Kind,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        kind = self._kind(kind)
        path = _path(kind, namespace, name, subresource)
        answer = await self._send("PATCH", path, body=_encode(patch), content_type=patch_type.value)
        patched: T = _decode(kind, answer)
        return patched

    async def delete(
        self, kind: type[T] | Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> None:
        await self._send("DELETE", _path(self._kind(kind), namespace, name), body=_options(options))

    async def delete_collection(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        options: DeleteOptions | None = None,
    ) -> None:
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        await self._send("DELETE", _path(self._kind(kind), namespace), query, _options(options))

    async def create_subresource(
        self, kind: type[T] | Kind, name: str, namespace: str, subresource: str, body: Object
    ) -> Any:
        parent = self._kind(kind)
        found = next(known for known in parent.subresources if known.name == subresource)
        version = f"{found.group}/{found.version}" if found.group else parent.api_version
        document = b'{"kind":"%s","apiVersion":"%s",' % (found.kind.encode(), version.encode()) + _encode(body)[1:]
        if document.endswith(b",}"):
            document = document[:-2] + b"}"
        answer = await self._send("POST", _path(parent, namespace, name, subresource), body=document)
        if msgspec.json.decode(answer, type=_Document).kind == found.kind:
            return decoder(type(body))(answer)
        return self._decode_any(answer)

    def _kind(self, kind: type[Any] | Kind) -> Kind:
        return kind if isinstance(kind, Kind) else self._scheme.of(kind)

    def _decode_any(self, data: bytes) -> Any:
        """An answer that says itself what it is."""
        meta = msgspec.json.decode(data, type=_Document)
        kind = self._scheme.find_kind(*parse_api_version(meta.api_version), meta.kind)
        return _decode(kind, data) if kind is not None else msgspec.json.decode(data, type=Status)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        async with self._request(method, path, query, body, content_type) as response:
            return await response.read()

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Every failure, of the server or of the connection, becomes an ApiError here."""
        params = {name: value for name, value in (query or {}).items() if value}
        headers = [*self._headers, ("Accept", "application/json")]
        if body is not None:
            headers.append(("Content-Type", content_type))
        try:
            async with self._session.request(
                method, self._access.server + path, params=params, data=body, headers=headers
            ) as response:
                if response.status >= 400:
                    raise error_of(await response.read(), response.status)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServiceUnavailable(f"{method} {path}: {error}") from error


def _path(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind.namespaced else ""
    tail = "".join(f"/{quote(part, safe='')}" for part in (name, subresource) if part)
    return f"{root}{scope}/{kind.plural}{tail}"


def _document(kind: Kind, obj: Struct) -> bytes:
    return kind.type_meta + _encode(obj)[1:]


def _options(options: DeleteOptions | None) -> bytes | None:
    if options is None:
        return None
    return _encode(msgspec.structs.replace(options, kind="DeleteOptions", api_version="v1"))


def _decode(kind: Kind, data: bytes | msgspec.Raw) -> Any:
    try:
        obj = decoder(kind.type)(bytes(data))
    except (msgspec.DecodeError, ValueError) as error:
        raise InternalError.because(f"the server's answer is no {kind.name}: {error}") from error
    fill(obj, kind="", api_version="")
    return obj


def _scale(data: bytes) -> Scale:
    try:
        return decoder(Scale)(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise InternalError.because(f"the server's answer is no Scale: {error}") from error


def error_of(body: bytes | msgspec.Raw, code: int) -> ApiError:
    """The error that a Status tells of; or, where the answer is none, one of the same code."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        text = bytes(body).decode(errors="replace").strip()
        status = Status(message=text or f"the server answered {code}", code=code)
    by_code = next((e for e in _ERRORS.values() if e.code == (status.code or code)), ApiError)
    type_ = _ERRORS.get(status.reason, by_code)
    error = type_.__new__(type_)
    ApiError.__init__(error, status.message, status.details, reason=status.reason or None)
    return error


async def _batches(kind: Kind, response: aiohttp.ClientResponse) -> AsyncIterator[Sequence[WatchEvent[Any]]]:
    """The lines of a watch, as many at once as have arrived."""
    rest = b""
    while chunk := await response.content.readany():
        *lines, rest = (rest + chunk).split(b"\n")
        events = [_event(kind, line) for line in lines if line]
        if events:
            yield events


def _event(kind: Kind, line: bytes) -> WatchEvent[Any]:
    seen = msgspec.json.decode(line, type=_Line)
    if seen.type == "ERROR":
        raise error_of(seen.object, 500)
    return WatchEvent(WatchType(seen.type), _decode(kind, seen.object))
