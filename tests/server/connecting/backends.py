"""Servers for the proxy to reach, and the API server before scripted kubelets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from kcore.server.connecting.dialing import unverified
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.kubelet.door import KubeletDoor
from tests.server.kubelet.scripted import ScriptedKubelets
from tests.server.serving import Door, serving

__all__ = ["backend", "fronting"]

PODS = "/api/v1/namespaces/default/pods"


@asynccontextmanager
async def backend(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """An HTTP server of somebody's; yields its port. Bodies are as they came."""
    server = web.Server(handler, auto_decompress=False)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await server.shutdown(1)


@asynccontextmanager
async def fronting(
    kubelets: ScriptedKubelets | None = None, *objects: dict[str, Any], **options: Any
) -> AsyncIterator[Door]:
    """An API server with these objects; the kubelets, if any, live in its process."""
    door = KubeletDoor(kubelets) if kubelets is not None else None
    async with serving(kubelets=KubeletClient(unverified, door), **options) as served:
        for obj in objects:
            await store(served, obj)
        yield served


async def store(door: Door, obj: dict[str, Any]) -> None:
    """Create an object with its status."""
    plural = f"{obj['kind'].lower().removesuffix('s')}s"
    path = f"/api/v1/{plural}" if obj["kind"] == "Node" else f"/api/v1/namespaces/default/{plural}"
    answer = await door.ask("POST", path, obj)
    assert answer.code == 201, answer.body
    if "status" in obj:
        created = answer.json | {"status": obj["status"]}
        answer = await door.ask("PUT", f"{path}/{obj['metadata']['name']}/status", created)
        assert answer.code == 200, answer.body
