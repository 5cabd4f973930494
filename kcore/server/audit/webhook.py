"""Events sent to another host (`--audit-webhook-config-file`, a kubeconfig), many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
import anyio
import msgspec
import structlog

from kcore.client.kubeconfig import Access

__all__ = ["Webhook"]

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_TIMEOUT = aiohttp.ClientTimeout(total=30)


class Webhook:
    """Posts lists of events. What is refused for good is lost, and logged; else it is tried again after a while."""

    def __init__(self, access: Access, *, backoff: float = 10) -> None:
        self._access = access
        self._backoff = backoff

    async def write(self, events: Sequence[dict[str, Any]]) -> None:
        body = msgspec.json.encode(
            {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}
        )
        wait = self._backoff
        for attempt in range(_ATTEMPTS):
            why = await self._post(body)
            if why is None:
                return
            if attempt < _ATTEMPTS - 1:
                await anyio.sleep(wait)
                wait *= 1.5
        log.error("audit webhook can not be reached", server=self._access.server, why=why, lost=len(events))

    async def _post(self, body: bytes) -> str | None:
        """What went wrong."""
        headers = {"Content-Type": "application/json"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=_TIMEOUT, connector=aiohttp.TCPConnector(ssl=self._access.tls or True)
                ) as session,
                session.post(self._access.server, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return None if answer.status < 300 else f"answered {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
