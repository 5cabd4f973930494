"""From a request to its answer: who asks, what for, may they; then the resource or the document.

The order is upstream's handler chain: authentication, impersonation, authorization, routing, negotiation.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from kcore.api.errors import ApiError, Unauthorized
from kcore.kit.clock import Chance, Clock
from kcore.registry.access import Attributes
from kcore.registry.refusals import require
from kcore.registry.request import User
from kcore.registry.verbs import Registry
from kcore.server.address import Address
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.authentication import Asking, Authenticator
from kcore.server.connecting.connecter import CONNECTED, Connecter
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connection import Connection
from kcore.server.deadline import Deadlines, within
from kcore.server.documents import Documents
from kcore.server.errors import error_reply, method_not_allowed, page_not_found, too_many_requests
from kcore.server.health import Health
from kcore.server.impersonation import asks_impersonation, impersonated
from kcore.server.insecure_port import require_own_browser
from kcore.server.limits import Fairness, Limits, TooBusy
from kcore.server.metrics import Metrics, labels_of
from kcore.server.negotiation import error_media_type
from kcore.server.openid import OpenId
from kcore.server.question import Arrival, arrival
from kcore.server.resources import Call, Resources
from kcore.server.response import Reply, header
from kcore.server.stream import EventStream, Lasting
from kcore.server.streaming.upgrading import asks_upgrade

if TYPE_CHECKING:
    from kcore.server.audit.auditor import Auditor
    from kcore.server.audit.event import Audited

__all__ = ["Door"]

_COMPRESSED_FROM = 128 * 1024
_GZIPPED = header("Content-Encoding", "gzip") + header("Vary", "Accept-Encoding")


class Door:
    """Every request enters here. `address` tells where clients reach the server, once it listens."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        health: Health,
        clock: Clock,
        chance: Chance,
        address: Callable[[], str],
        openid: OpenId,
        kubelets: KubeletClient,
        auditor: Auditor | None = None,
        aggregator: Aggregator | None = None,
        limits: Limits | None = None,
        request_timeout: float = 60,
    ) -> None:
        self.streams: set[Lasting] = set()
        """The open watches, and what else lasts."""
        self._authorizer = registry.authorizer
        self._authenticator = authenticator
        self._auditor = auditor
        self._limits = limits
        self._deadlines = Deadlines(request_timeout)
        self.metrics = Metrics(lambda: [stream.labels for stream in self.streams])
        self.metrics.others.append(registry.env.webhook_figures.figures)
        if isinstance(limits, Fairness):
            self.metrics.others.append(limits.figures)
        self._aggregator = aggregator
        self.documents = Documents(registry.scheme, address, health, self.metrics, openid, aggregator)
        self._resources = Resources(registry, clock, chance, Connecter(registry, kubelets, chance))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = arrival(request)
        address, verb = arrived.address, arrived.verb
        if address is None:
            return await self._answered(arrived)
        loop_time = asyncio.get_running_loop().time
        started, kind = loop_time(), self.metrics.begin(verb)
        reply = await self._answered(arrived)
        labels = labels_of("connect" if address.subresource in CONNECTED else verb, address)
        self.metrics.end(kind, labels, reply.status, loop_time() - started)
        return reply

    async def _answered(self, arrived: Arrival) -> web.StreamResponse:
        """The answer to whoever it is that asks; told to the audit, if there is one that wants to know."""
        request = arrived.request
        try:
            asked = arrived.asked_by(await self._user(arrived))
            if self._auditor is None:
                reply = await self._allowed(arrived, asked)
            else:
                reply = await self._auditor.followed(arrived, asked, self._allowed)
        except Exception as error:
            return _refusal(request, error)
        if isinstance(reply, Reply) and len(reply.content) > _COMPRESSED_FROM:
            return await _compressed(request, reply)
        return reply

    async def _user(self, arrived: Arrival) -> User:
        connection: Connection = arrived.request.protocol  # type: ignore[assignment]  # we make them
        headers = arrived.request.headers
        try:
            if connection.everyone is None:
                return await self._authenticator.user(Asking(headers, connection.certificate))
            require_own_browser(headers)
            return connection.everyone
        except Unauthorized:
            if self._auditor is not None:
                self._auditor.refused(arrived)
            raise

    async def _allowed(self, arrived: Arrival, asked: Attributes, audited: Audited | None = None) -> web.StreamResponse:
        """The answer to who may have it, perhaps acting as somebody else."""
        if asks_impersonation(arrived.request.headers):
            asked = asked._replace(user=impersonated(self._authorizer, asked.user, arrived.request.headers))
            if audited is not None:
                audited.impersonated(asked.user)
        if self._limits is None:
            return await self._granted(arrived, asked, audited)
        seat = self._limits.try_sit(asked) or await self._limits.wait(asked)
        if arrived.verb == "watch" and self._is_elsewhere(arrived):
            seat.leave()
            return await self._granted(arrived, asked, audited)
        try:
            reply = await self._granted(arrived, asked, audited)
        except ApiError as error:
            reply = _refusal(arrived.request, error)
        finally:
            seat.leave()
        if isinstance(reply, (Reply, EventStream)):
            reply.extra += seat.headers
        return reply

    def _is_elsewhere(self, arrived: Arrival) -> bool:
        """Whether another server answers: a watch is only done when it is over."""
        if arrived.address is None or self._aggregator is None:
            return False
        return self._aggregator.of(arrived.address) is not None

    async def _granted(self, arrived: Arrival, asked: Attributes, audited: Audited | None) -> web.StreamResponse:
        if audited is not None:
            audited.decided(self._authorizer.decide(asked))
        require(self._authorizer, asked)
        if arrived.address is None:
            if self._aggregator is not None and (backend := self._aggregator.behind(arrived.path)) is not None:
                return await self._aggregator.proxy.answer(arrived.request, backend, asked.user)
            return await self.documents.answer(arrived)
        seconds = self._deadlines.seconds(arrived)
        work = self._resource(arrived, arrived.address, asked.user, audited)
        if work is None:
            return page_not_found()
        return await (work if seconds is None else within(seconds, work))

    def _resource(
        self, arrived: Arrival, address: Address, user: User, audited: Audited | None
    ) -> Awaitable[web.StreamResponse] | None:
        """What answers for a resource; None: there is nothing at the address. Raises MethodNotAllowed."""
        request, verb = arrived.request, arrived.verb
        if self._aggregator is not None and (backend := self._aggregator.of(address)) is not None:
            lasts = verb == "watch" or asks_upgrade(request.headers)
            labels = labels_of(verb, address) if lasts else None
            return self._aggregator.proxy.answer(request, backend, user, labels)
        if address.group and (not self.documents.serves_group(address.group) or self._resources.is_nowhere(address)):
            return None
        if (not verb or request.method == "HEAD") and address.subresource != "proxy":
            raise method_not_allowed()
        return self._resources.answer(Call(request, user, verb, address, arrived.query, [], audited))


def _refusal(request: web.BaseRequest, error: Exception) -> Reply:
    if isinstance(error, TooBusy):
        return too_many_requests(error.headers)
    return error_reply(error, media_type=error_media_type(request.headers.get("Accept", "")))


async def _compressed(request: web.BaseRequest, reply: Reply) -> Reply:
    """A large body goes gzipped to who takes it so. zlib works beside the loop, at its fastest level as upstream."""
    if request.method != "GET" or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return reply
    body = await asyncio.to_thread(gzip.compress, reply.content, 1)
    return Reply(reply.status, body, reply.media_type, reply.extra + _GZIPPED)
