"""Static pods from a URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.api.timestamp import format_seconds
from kcore.kit.clock import Clock
from kcore.node.sources.files import OnPods
from kcore.node.sources.manifests import ManifestError, static_pods

if TYPE_CHECKING:
    import aiohttp

__all__ = ["UrlSource"]

TIMEOUT = 10.0

log = structlog.get_logger(__name__)


class UrlSource:
    """Asks every so often. One that does not answer, or not with pods, leaves those running that it gave before."""

    def __init__(
        self, url: str, headers: Sequence[tuple[str, str]], node: str, every: float, clock: Clock, on_pods: OnPods
    ) -> None:
        self._url = url
        self._headers = headers
        self._node = node
        self._every = every
        self._clock = clock
        self._on_pods = on_pods
        self._last = b""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Read until cancelled. Started once the URL was asked, whatever it said."""
        import aiohttp  # few nodes have such a source

        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            await self._ask(session)
            task_status.started()
            while True:
                await anyio.sleep(self._every)
                await self._ask(session)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        import aiohttp

        try:
            async with session.get(self._url) as answer:
                data = await answer.read()
                if answer.status != 200:
                    raise ManifestError(f"the answer was {answer.status}")
            if not data:
                raise ManifestError("the answer was empty")
            if data == self._last:
                return
            pods = static_pods(data, self._node, "http", self._url, format_seconds(self._clock.now()))
        except (TimeoutError, aiohttp.ClientError, ManifestError) as error:
            why = str(error) or type(error).__name__
            log.warning("manifest URL gave no pods; what runs of it goes on", url=self._url, why=why)
            return
        self._last = data
        self._on_pods(pods)
