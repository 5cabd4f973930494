"""The one place where an exception becomes an answer."""

from __future__ import annotations

import msgspec
import structlog

from kcore.api.errors import ApiError, InternalError, MethodNotAllowed, NotAcceptable, UnsupportedMediaType
from kcore.api.meta_v1 import Status, StatusDetails
from kcore.api.protobuf import encode_status
from kcore.server.response import JSON_TYPE, PROTOBUF_TYPE, TEXT_TYPE, YAML_TYPE, Reply, header, to_yaml

__all__ = [
    "error_reply",
    "method_not_allowed",
    "page_not_found",
    "status_of",
    "too_many_requests",
    "unacceptable",
    "unsupported_patch",
]

log = structlog.get_logger(__name__)

_NO_SNIFF = header("X-Content-Type-Options", "nosniff")


def page_not_found() -> Reply:
    """A path outside every API group, in the words of Go's http server."""
    return Reply(404, b"404 page not found\n", TEXT_TYPE, _NO_SNIFF)


def too_many_requests(headers: bytes) -> Reply:
    """In the plain words of upstream's filters."""
    body = b"Too many requests, please try again later.\n"
    return Reply(429, body, TEXT_TYPE, header("Retry-After", "1") + _NO_SNIFF + headers)


def status_of(error: BaseException) -> Status:
    """What to tell the client. A bug of ours becomes a 500 and a line in the log."""
    if isinstance(error, ApiError):
        return error.status
    log.error("request failed", exc_info=error)
    return InternalError.because("the server failed on this request, see its log").status


def error_reply(error: BaseException, headers: bytes = b"", media_type: str = JSON_TYPE) -> Reply:
    status = status_of(error)
    if status.details is not None and status.details.retry_after_seconds:
        headers += header("Retry-After", str(status.details.retry_after_seconds))
    return Reply(status.code, _written(status, media_type), media_type, headers)


def _written(status: Status, media_type: str) -> bytes:
    if media_type == PROTOBUF_TYPE:
        return encode_status(msgspec.to_builtins(status))
    body = msgspec.json.encode(status)
    return to_yaml(body) if media_type == YAML_TYPE else body + b"\n"


def method_not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource", StatusDetails())


def unacceptable(available: str) -> NotAcceptable:
    """No representation of this path that the Accept header allows (the router's words)."""
    return NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {available}", StatusDetails())


def unsupported_patch() -> UnsupportedMediaType:
    return UnsupportedMediaType("415: Unsupported Media Type", StatusDetails())
