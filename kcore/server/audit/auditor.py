"""Begins the audit of each request that the policy wants told, and runs what takes the events away."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio
import msgspec
from aiohttp import web
from anyio.abc import TaskStatus

from kcore.api.errors import ApiError
from kcore.api.meta_v1 import Status
from kcore.kit.clock import Chance, Clock
from kcore.registry.access import Attributes
from kcore.registry.request import User
from kcore.server.audit.event import Audited, Origin
from kcore.server.audit.policy import Level, Policy
from kcore.server.audit.sink import Buffered
from kcore.server.event_socket import EventSocket
from kcore.server.limits import TooBusy
from kcore.server.question import Arrival
from kcore.server.response import JSON_TYPE, YAML_TYPE, Reply
from kcore.server.stream import EventStream

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = ["Auditor"]

_AGENT_MAX = 1024
_ID_MAX = 64
_NOT_KNOWN = Status(status="Failure", message="Authentication failed", reason="Unauthorized", code=401)


class Answer(Protocol):
    """How a request is answered; `audited` None: nothing of it is told."""

    async def __call__(
        self, arrived: Arrival, asked: Attributes, audited: Audited | None = None
    ) -> web.StreamResponse: ...


class Auditor:
    """A service: `run` writes what the others lead to."""

    def __init__(self, policy: Policy, sinks: Sequence[Buffered], clock: Clock, chance: Chance) -> None:
        self._policy = policy
        self._sinks = tuple(sinks)
        self._clock = clock
        self._chance = chance

    async def followed(self, arrived: Arrival, asked: Attributes, answer: Answer) -> web.StreamResponse:
        """The answer, and what becomes of it, told as far as the policy wants it told."""
        audited = self._begin(arrived, asked)
        if audited is None:
            return await answer(arrived, asked)
        cast("Connection", arrived.request.protocol).on_started = audited.started
        try:
            reply = await answer(arrived, asked, audited)
        except ApiError as error:
            audited.complete(error.status.code, error.status, msgspec.json.encode(error.status))
            raise
        except TooBusy:
            audited.complete(429)
            raise
        except Exception:
            audited.panicked()
            raise
        if isinstance(reply, Reply):
            audited.complete(reply.code, _status(reply), reply.content, yaml=reply.media_type == YAML_TYPE)
            return reply
        audited.started(reply.status)
        if isinstance(reply, (EventStream, EventSocket)):
            reply.on_end = partial(audited.complete, reply.status)
        else:
            audited.complete(reply.status)
        return reply

    def refused(self, arrived: Arrival) -> None:
        """Credentials were no good: nobody is known to have asked."""
        audited = self._begin(arrived, arrived.asked_by(User("")))
        if audited is not None:
            audited.complete(401, _NOT_KNOWN)

    def _begin(self, arrived: Arrival, asked: Attributes) -> Audited | None:
        """None where the policy does not want to know."""
        connection, request = cast("Connection", arrived.request.protocol), arrived.request
        telling = self._policy.telling(asked)
        if telling.level is Level.NONE:
            connection.audit_id, connection.on_started = "", None
            return None
        connection.audit_id = request.headers.get("Audit-Id", "")[:_ID_MAX] or self._chance.uid()
        agent = request.headers.get("User-Agent", "")
        origin = Origin(
            connection.audit_id,
            request.raw_path,
            tuple(_source_ips(request)),
            agent if len(agent) <= _AGENT_MAX else agent[:_AGENT_MAX] + "...TRUNCATED",
        )
        version = arrived.address.version if arrived.address is not None else ""
        return Audited(origin, asked, version, telling, self._clock, self._emit)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as tasks:
            for sink in self._sinks:
                await tasks.start(sink.run)
            task_status.started()

    def _emit(self, event: dict[str, Any]) -> None:
        for sink in self._sinks:
            sink.put(event)


def _status(reply: Reply) -> Status | None:
    """What went wrong, where an answer tells that."""
    if reply.code < 400 or reply.media_type != JSON_TYPE:
        return None
    try:
        return msgspec.json.decode(reply.content, type=Status)
    except msgspec.DecodeError:
        return None


def _source_ips(request: web.BaseRequest) -> list[str]:
    """Those that proxies tell, then the one that is connected."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    named = [address for address in (*forwarded, request.headers.get("X-Real-Ip", "").strip()) if address]
    if request.remote and (not named or named[-1] != request.remote):
        named.append(request.remote)
    return list(dict.fromkeys(named))
