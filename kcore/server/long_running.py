"""Answers that last: until their client leaves, or the server stops."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, cast

import anyio
from aiohttp import web

from kcore.server.metrics import Labels

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = ["LongRunning"]


class LongRunning:
    """`with LongRunning(...)`: what happens inside ends with the client's connection, or when the server stops; then
    what stands behind the block goes on. Metrics count it meanwhile."""

    def __init__(self, request: web.BaseRequest, labels: Labels) -> None:
        self.labels = labels
        self._connection = cast("Connection", request.protocol)
        self._code = 101 if "Upgrade" in request.headers else 200
        self._scope = anyio.CancelScope()

    def end(self) -> None:
        self._scope.cancel()

    def __enter__(self) -> None:
        self._connection.streams.add(self)
        self._connection.on_lost = self.end
        if self._connection.on_started is not None:
            self._connection.on_started(self._code)
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._connection.on_lost = None
        self._connection.streams.discard(self)
        return bool(self._scope.__exit__(kind, error, trace))
