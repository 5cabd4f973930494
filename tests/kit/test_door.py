"""The small door, asked over a real socket."""

from __future__ import annotations

import aiohttp
import anyio

from kcore.kit.door import Door, Reply


def answer(path: str) -> Reply | None:
    return Reply(503, b"not yet") if path == "/healthz" else None


async def test_a_door_answers_what_it_knows_and_404_else_and_closes_with_its_task() -> None:
    door = Door("127.0.0.1", 0, answer)
    async with anyio.create_task_group() as tasks, aiohttp.ClientSession() as session:
        await tasks.start(door.run)
        url = f"http://127.0.0.1:{door.port}"
        async with session.get(f"{url}/healthz") as response:
            assert (response.status, await response.read()) == (503, b"not yet")
        async with session.get(f"{url}/elsewhere") as response:
            assert response.status == 404
        async with session.post(f"{url}/healthz") as response:
            assert response.status == 405
        tasks.cancel_scope.cancel()
