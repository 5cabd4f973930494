"""Forgets requests that are through: an hour after they were decided, a day after nobody did."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.timestamp import parse
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, Result
from kcore.controllers.certificates.authority import expiry
from kcore.controllers.context import Context

__all__ = ["CertificateCleaner"]

DECIDED = 3600.0
PENDING = 24 * 3600.0


class CertificateCleaner(Controller):
    name = "certificatesigningrequest-cleaner-controller"
    root = CertificateSigningRequest
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._requests = context.informers.of(CertificateSigningRequest)

    async def reconcile(self, key: str) -> Result | None:
        request = self._requests.get(key)
        if request is None:
            return None
        ends = list(_ends(request))
        if request.status.certificate and (expires := await anyio.to_thread.run_sync(expiry, request)) is not None:
            ends.append(expires)
        left = min(ends, default=0.0) - self._clock.now()
        if not ends:
            return None
        if left > 0:
            return Result(left)
        await delete_exactly(self._client, request)
        return None


def _ends(request: CertificateSigningRequest) -> Iterator[float]:
    """When a request has stood for long enough. One that is approved waits for its signer for as long as it takes."""
    conditions = request.status.conditions
    if not any(c.type in ("Approved", "Denied", "Failed") for c in conditions) and request.metadata.creation_timestamp:
        yield parse(request.metadata.creation_timestamp) + PENDING
    for condition in conditions:
        through = condition.type in ("Denied", "Failed") or (
            condition.type == "Approved" and bool(request.status.certificate)
        )
        if through and condition.last_update_time:
            yield parse(condition.last_update_time) + DECIDED
