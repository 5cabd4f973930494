"""The API server's way to kubelets: to those of its own process by a call, to others over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from aiohttp import web
from anyio.abc import ByteStream

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError
from kcore.registry.connecting.locations import kubelet_port, node_address
from kcore.server.connecting.dialing import connect
from kcore.server.connecting.forwarding import Destination, forward
from kcore.server.connecting.headers import quoted_path
from kcore.server.kubelet.door import KubeletDoor, text_reply
from kcore.server.query import parse_query

if TYPE_CHECKING:
    from kcore.server.connecting.links import Rewriter

__all__ = ["KubeletClient", "Refused"]

Refused = Callable[[int, str], ApiError]
"""What to make of a kubelet's code and text."""


class KubeletClient:
    """`door` is that of the kubelets in this process, if there are any; `tls` makes what the others are shown, and how
    far they are trusted."""

    def __init__(self, tls: Callable[[], ssl.SSLContext], door: KubeletDoor | None = None) -> None:
        self._make_tls = tls
        self.door = door

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._make_tls()

    def is_here(self, node: str) -> bool:
        """Whether a node's kubelet lives in this process."""
        return self.door is not None and self.door.kubelets.node(node) is not None

    def dial_here(self, pod: Pod, port: int) -> Callable[[], Awaitable[ByteStream]] | None:
        """How to connect to a pod of this process, which may know it by another uid (static pods); None: it has none
        of that name."""
        door, metadata = self.door, pod.metadata
        known = door.kubelets.pod(metadata.namespace, metadata.name) if door is not None else None
        return partial(door.kubelets.dial, known, port) if door is not None and known is not None else None

    async def ask(
        self,
        request: web.BaseRequest,
        node: Node,
        path: str,
        query: str,
        *,
        rewriter: Rewriter | None = None,
        refused: Refused | None = None,
    ) -> web.StreamResponse:
        """Pass a request on to a node's kubelet. What it refuses is passed back as it is, or, given `refused`, raised
        as what that makes of it. Raises ApiError."""
        name = node.metadata.name
        if self.door is not None and self.is_here(name):
            try:
                return await self.door.answer(request, name, path, parse_query(query))
            except ApiError as error:
                if refused is not None:
                    raise refused(error.code, error.message) from error
                return text_reply(error)
        host, port = node_address(node), kubelet_port(node)
        target = quoted_path(path) + (f"?{query}" if query else "")
        dial = partial(connect, host, port, self._tls)
        destination = Destination(dial, target, _not_reached, host=f"{host}:{port}", rewriter=rewriter, refused=refused)
        return await forward(request, destination)


def _not_reached(why: str) -> ApiError:
    return ApiError(f"error dialing backend: {why}", reason="")
