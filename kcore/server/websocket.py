"""WebSocket (RFC 6455) at the door: who asks for one, and how browsers, which send few headers, name themselves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from kcore.api.errors import Unauthorized

__all__ = ["bearer_token", "offered_protocols", "wants_websocket"]

_PROTOCOLS = "Sec-WebSocket-Protocol"
_BEARER = "base64url.bearer.authorization.k8s.io."


def wants_websocket(headers: Mapping[str, str]) -> bool:
    if headers.get("Upgrade", "").lower() != "websocket":
        return False
    return any(word.strip().lower() == "upgrade" for word in headers.get("Connection", "").split(","))


def offered_protocols(headers: Mapping[str, str]) -> Sequence[str]:
    """The subprotocols that a client offers, without the one that is a token."""
    return [protocol for protocol in _all_protocols(headers) if not protocol.startswith(_BEARER)]


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token among the subprotocols, if there is one. Raises Unauthorized where it cannot be read.

    Another must stand beside it: the server has to choose one, and would not repeat a token.
    """
    tokens = [protocol.removeprefix(_BEARER) for protocol in _all_protocols(headers) if protocol.startswith(_BEARER)]
    if not tokens:
        return None
    if len(tokens) > 1 or not offered_protocols(headers):
        raise Unauthorized
    try:
        padded = tokens[0] + "=" * (-len(tokens[0]) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthorized from None


def _all_protocols(headers: Mapping[str, str]) -> list[str]:
    return [protocol for part in headers.get(_PROTOCOLS, "").split(",") if (protocol := part.strip())]
