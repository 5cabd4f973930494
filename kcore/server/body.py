"""What a request carries: read within the limit, and decoded by its Content-Type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from aiohttp import web

from kcore.api.authentication_v1 import TokenRequest
from kcore.api.autoscaling_v1 import Scale
from kcore.api.core_v1 import Binding
from kcore.api.documents import Expected
from kcore.api.errors import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from kcore.api.kind import Kind
from kcore.api.policy_v1 import Eviction
from kcore.api.protobuf import ProtobufError, decode_protobuf
from kcore.api.schema import TypeMeta
from kcore.server.response import JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE

__all__ = ["BODY_LIMIT", "expected_body", "media_type", "object_media_type", "read_body", "read_document"]

BODY_LIMIT = 3 * 1024 * 1024

# The bodies of subresources that are no kinds of their own.
_BELOW: Mapping[str, type[TypeMeta]] = {
    "Binding": Binding,
    "Eviction": Eviction,
    "Scale": Scale,
    "TokenRequest": TokenRequest,
}


def expected_body(kind: Kind, subresource: str) -> Expected:
    """What a create or update of the address carries."""
    below = kind.subresource(subresource) if subresource else None
    if below is None or below.kind == kind.name:
        return Expected.of(kind)
    type_ = _BELOW[below.kind]
    return Expected(type_, below.group or kind.group, below.version or kind.version)


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body. Raises RequestEntityTooLarge beyond upstream's limit of 3 MiB."""
    content = request.content
    if content.is_eof():  # it came together with its head, as most do
        body = content.read_nowait()
        if len(body) > BODY_LIMIT:
            raise _too_large()
        return body
    if (request.content_length or 0) > BODY_LIMIT:
        raise _too_large()
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None


def _too_large() -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {BODY_LIMIT}")


def media_type(content_type: str) -> str:
    """A Content-Type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


@lru_cache(256)
def object_media_type(content_type: str) -> str:
    """JSON, YAML or Kubernetes' protobuf: what an object may be written in. Raises UnsupportedMediaType."""
    found = media_type(content_type) or JSON_TYPE
    if found not in (JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE):
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    return found


async def read_document(request: web.BaseRequest) -> tuple[bytes, bool]:
    """The body that carries an object, and whether it is YAML. Protobuf, which kubectl and client-go write since
    1.32, is turned into the JSON of the same object."""
    encoding = object_media_type(request.headers.get("Content-Type", ""))
    body = await read_body(request)
    if encoding == PROTOBUF_TYPE and body:
        try:
            body = msgspec.json.encode(decode_protobuf(body))
        except ProtobufError as error:
            raise BadRequest(str(error)) from None
    return body, encoding == YAML_TYPE
