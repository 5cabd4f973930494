"""A request goes on to another API server, and the answer comes back as it is read: any method, watches, upgrades."""

from __future__ import annotations

from functools import partial

import structlog
from aiohttp import web

from kcore.api.errors import ApiError
from kcore.registry.request import User
from kcore.registry.service_endpoints import Unresolved
from kcore.server.aggregation.backends import Backend
from kcore.server.aggregation.identity import identity
from kcore.server.connecting.forwarding import Destination, forward
from kcore.server.long_running import LongRunning
from kcore.server.metrics import Labels
from kcore.server.outbound import BadBundle, Outbound
from kcore.server.response import TEXT_TYPE, Reply, header
from kcore.server.streaming.upgraded import Done

__all__ = ["Proxy"]

log = structlog.get_logger(__name__)

_NO_SNIFF = header("X-Content-Type-Options", "nosniff")


class _NoAnswer(ApiError):
    """There is none that could be passed back."""

    code = 503


class _Redirected(_NoAnswer):
    code = 502


class Proxy:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def answer(
        self, request: web.BaseRequest, backend: Backend, user: User, labels: Labels | None = None
    ) -> web.StreamResponse:
        """Returns when all is passed on. `labels`: how metrics count it, if it lasts."""
        if not backend.available:
            return _error(_NoAnswer("service unavailable"))
        host = f"{backend.service.host}:{backend.service.port}"
        destination = Destination(
            dial=partial(self._outbound.connect, backend.service, backend.ca_bundle, insecure=backend.insecure),
            target=request.raw_path,
            failed=lambda why: _NoAnswer(f"error trying to reach service: {why}"),
            headers=[(name.encode(), value.encode()) for name, value in identity(user).items()],
            host=host,
            redirected=_Redirected("the backend attempted to redirect this request, which is not permitted"),
        )
        try:
            if labels is None:
                return await forward(request, destination)
            with LongRunning(request, labels):
                return await forward(request, destination)
        except (Unresolved, BadBundle) as error:
            log.warning("aggregated API server cannot be reached", version=str(backend.version), why=str(error))
            return _error(_NoAnswer("service unavailable"))
        except _NoAnswer as error:
            return _error(error)
        return Done()


def _error(why: _NoAnswer) -> Reply:
    """In the words of Go's http server: upstream's aggregator makes no Status here."""
    return Reply(why.code, f"{why.message}\n".encode(), TEXT_TYPE, _NO_SNIFF)
