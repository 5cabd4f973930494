"""What has arrived is kept for its reader, within bounds."""

from __future__ import annotations

import anyio
import pytest

from kcore.server.streaming.inbox import ROOM, Inbox
from tests.server.streaming.talking import read_all


async def test_bytes_come_out_in_order_and_then_the_end() -> None:
    inbox = Inbox()
    inbox.put(b"one")
    inbox.put(b"two")
    inbox.end()
    inbox.put(b"too late")
    assert await inbox.receive(2) == b"on"
    assert await read_all(inbox) == b"etwo"


async def test_reader_waits_for_what_comes() -> None:
    inbox = Inbox()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_all, inbox)
        await anyio.lowlevel.checkpoint()
        inbox.put(b"x")
        inbox.end()


async def test_sender_waits_for_room() -> None:
    inbox, order = Inbox(), []

    async def send() -> None:
        await inbox.wait_room()
        order.append("sent")

    inbox.put(bytes(ROOM + 1))
    assert inbox.is_full
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.lowlevel.checkpoint()
        order.append("read")
        await inbox.receive(10)
    assert order == ["read", "sent"]


async def test_closed_inbox_throws_away_and_holds_nobody_up() -> None:
    read: list[int] = []
    inbox = Inbox(read.append)
    inbox.put(bytes(ROOM + 1))
    await inbox.aclose()
    await inbox.wait_room()
    inbox.put(b"more")
    assert read == [ROOM + 1, 4], "what was thrown away counts as read: its window opens again"
    with pytest.raises(anyio.ClosedResourceError):
        await inbox.receive()
