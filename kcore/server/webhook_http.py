"""Calls webhooks over HTTPS: the `WebhookClient` that clusters have. What goes wrong is told in Go's words."""

from __future__ import annotations

import math
import os
import ssl
from http import HTTPStatus

import aiohttp
import anyio
import msgspec

from kcore.api.meta_v1 import Status
from kcore.registry.service_endpoints import Unresolved
from kcore.registry.webhook_client import CallFailed, Target
from kcore.server.outbound import BadBundle, Outbound

__all__ = ["HttpWebhooks", "go_words"]

_ANSWER_MAX = 16 * 1024 * 1024
_HEADERS = {"Accept": "application/json, */*", "Content-Type": "application/json"}


class HttpWebhooks:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def call(self, target: Target, document: bytes, *, seconds: float) -> bytes:
        query = f"timeout={math.ceil(seconds)}s"
        try:
            with anyio.fail_after(seconds):
                status, body = await self._post_patiently(target, query, document)
        except (TimeoutError, aiohttp.ClientError, OSError, Unresolved) as error:
            raise CallFailed(f'Post "{target.url}?{query}": {go_words(error)}') from error
        except (BadBundle, _TooLarge) as error:
            raise CallFailed(str(error)) from error
        if not 200 <= status < 300:
            raise CallFailed(_refusal(status, body))
        return body

    async def _post_patiently(self, target: Target, query: str, document: bytes) -> tuple[int, bytes]:
        """A connection of the pool may have been closed by the other side just now: then once more, on a new one."""
        try:
            return await self._post(target, query, document)
        except aiohttp.ServerDisconnectedError:
            return await self._post(target, query, document)

    async def _post(self, target: Target, query: str, document: bytes) -> tuple[int, bytes]:
        async with self._outbound.request("POST", target, query=query, body=document, headers=_HEADERS) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _ANSWER_MAX:
                    raise _TooLarge(f"the answer is larger than {_ANSWER_MAX} bytes")
            return response.status, bytes(body)


class _TooLarge(Exception):
    pass


def go_words(error: Exception) -> str:
    """What Go's HTTP client would say."""
    match error:
        case TimeoutError():
            return "context deadline exceeded"
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: x509: {_distrust(error.certificate_error)}"
        case aiohttp.ClientConnectorSSLError():
            return "tls: first record does not look like a TLS handshake"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {error.host}: no such host"
        case aiohttp.ClientConnectorError():
            why = os.strerror(error.os_error.errno).lower() if error.os_error.errno else str(error.os_error)
            return f"dial tcp {_joined(error.host, error.port)}: connect: {why}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
    return str(error)


def _joined(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# X509_V_ERR_*: what OpenSSL finds wrong with a certificate.
_EXPIRED = (9, 10)
_OTHER_NAME = (62, 63, 64)


def _distrust(error: Exception) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return str(error)
    if error.verify_code in _EXPIRED:
        return "certificate has expired or is not yet valid"
    if error.verify_code in _OTHER_NAME:
        return error.verify_message.split(", ", 1)[-1].rstrip(".")
    return "certificate signed by unknown authority"


_REFUSALS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    415: "the body of the request was in an unknown format",
    422: "the server rejected our request due to an error in our request",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


def _refusal(status: int, body: bytes) -> str:
    """An answer that is an error: in its own words where it is a Status, else in those of upstream's client."""
    try:
        told = msgspec.json.decode(body, type=Status)
        if told.kind == "Status" and told.message:
            return told.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    text = body.decode(errors="replace").strip()
    if status == HTTPStatus.FORBIDDEN:
        return text or "unknown"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return text or "the server has received too many requests and has asked us to try again later"
    if status in _REFUSALS:
        return _REFUSALS[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f"the server responded with the status code {status} but did not return more information"
