"""What a client wants its connection upgraded to, and the refusals in upstream's words."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from multidict import CIMultiDictProxy

from kcore.api.errors import BadRequest, Forbidden
from kcore.server.streaming.channels import negotiate

__all__ = ["Upgrade", "asks_upgrade", "spdy_protocol", "upgrade_of"]

_VERSION = "X-Stream-Protocol-Version"


class Upgrade(Enum):
    WEBSOCKET = "websocket"
    SPDY = "spdy/3.1"


def asks_upgrade(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a request is to end in something else than HTTP."""
    return any("upgrade" in value.lower() for value in headers.getall("Connection", ()))


def upgrade_of(headers: CIMultiDictProxy[str]) -> Upgrade:
    """Raises BadRequest where the client asks for neither."""
    if not asks_upgrade(headers):
        raise BadRequest("Upgrade request required")
    try:
        return Upgrade(headers.get("Upgrade", "").strip().lower())
    except ValueError:
        raise BadRequest("unable to upgrade: missing upgrade headers in request") from None


def spdy_protocol(headers: CIMultiDictProxy[str], offered: Sequence[str]) -> str:
    """What is to be spoken over SPDY. Raises BadRequest, or Forbidden where the client knows nothing on offer."""
    if _VERSION not in headers:
        raise BadRequest(f"unable to upgrade: header {_VERSION} does not exist in request with {len(headers)} headers")
    values = headers.getall(_VERSION)
    asked = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if not asked:
        raise BadRequest(f"unable to upgrade: header {_VERSION} contains [{' '.join(values)}], but no valid protocols")
    chosen = negotiate(asked, offered)
    if chosen is None:
        raise Forbidden(
            "unable to upgrade: unable to negotiate protocol: "
            f"client supports [{' '.join(asked)}], server accepts [{' '.join(offered)}]"
        )
    return chosen
