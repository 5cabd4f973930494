"""For how long a request may take: `--request-timeout`, or less where its `timeout` parameter says so.

Reads do not wait for anything, so they have no deadline unless they ask for one; watches end by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from kcore.api.errors import BadRequest, Timeout
from kcore.api.meta_v1 import StatusDetails
from kcore.server.connecting.connecter import CONNECTED
from kcore.server.question import Arrival

__all__ = ["Deadlines", "within"]

T = TypeVar("T")

_READING = frozenset(("get", "list"))


class Deadlines:
    """`most`: what no request may ask to exceed, in seconds."""

    def __init__(self, most: float) -> None:
        self._most = most

    def seconds(self, arrived: Arrival) -> float | None:
        """None: it may take as long as it takes. Raises BadRequest for a `timeout` that is no duration."""
        if arrived.verb == "watch" or (arrived.address is not None and arrived.address.subresource in CONNECTED):
            return None
        if "timeout" not in arrived.query:
            return None if arrived.verb in _READING else self._most
        asked = _parsed(arrived.query.get("timeout"))
        return min(asked, self._most) if asked > 0 else self._most


def _parsed(text: str) -> float:
    from kcore.cel.errors import EvaluationError
    from kcore.cel.times import parse_duration

    if not text:
        return 0
    try:
        return parse_duration(text).nanos / 1e9
    except EvaluationError:
        raise BadRequest(f'invalid timeout specified in the request URL: time: invalid duration "{text}"') from None


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Raises Timeout when they have passed; what was committed by then stays so."""
    task, late = asyncio.current_task(), False
    assert task is not None
    cancelling = task.cancelling()

    def expire() -> None:
        nonlocal late
        late = True
        task.cancel()

    # What `asyncio.timeout` does, in a third of the calls: every write passes here.
    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        return await work
    except asyncio.CancelledError:
        if not late or task.uncancel() > cancelling:
            raise
        why = "Timeout: request did not complete within requested timeout - context deadline exceeded"
        raise Timeout(why, StatusDetails()) from None
    finally:
        timer.cancel()
