"""The kubelet's side of the shim's socket: requests and answers, and what the shim tells by itself."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

import kcore
from kcore.node.cri import CriError

__all__ = ["ShimClient", "connect_or_start"]

Message = dict[str, Any]
MOST_FDS = 16


class ShimClient:
    """One connection. Answers come to whoever asked, events to `on_event`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._received = b""
        self._fds: deque[int] = deque()
        self._answers: dict[int, asyncio.Future[tuple[Message, list[int]]]] = {}
        self._last_id = 0
        self._sending = anyio.Lock()
        self._on_event: Callable[[Message], None] = lambda event: None
        self.lost = anyio.Event()

    def listen(self, on_event: Callable[[Message], None]) -> None:
        """Begin to take what comes."""
        self._on_event = on_event
        asyncio.get_running_loop().add_reader(self._sock, self._receive)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock)
        self._lose()

    async def ask(self, verb: str, **arguments: Any) -> Message:
        """Make a request. Raises CriError with the shim's words where it fails."""
        return (await self.ask_for_fds(verb, **arguments))[0]

    async def ask_for_fds(self, verb: str, **arguments: Any) -> tuple[Message, list[int]]:
        """Make a request that is answered with descriptors, which are the caller's from then on."""
        self._last_id += 1
        number = self._last_id
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(json.dumps({"id": number, "do": verb, **arguments}).encode() + b"\n")
            message, fds = await answer
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            raise CriError(message["error"])
        return message, fds

    async def _send(self, data: bytes) -> None:
        async with self._sending:
            while data:
                if self.lost.is_set():
                    raise CriError("the shim is gone")
                try:
                    data = data[self._sock.send(data) :]
                except BlockingIOError:
                    await anyio.wait_writable(self._sock)
                except OSError as error:
                    raise CriError(f"the shim is gone: {error}") from error

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._sock, 1 << 18, MOST_FDS)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self.close()
            return
        self._fds.extend(fds)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: Message) -> None:
        fds = [self._fds.popleft() for _ in range(message.pop("fds", 0))]
        if "id" not in message:
            self._on_event(message)
            return
        waiting = self._answers.get(message["id"])
        if waiting is not None and not waiting.done():
            waiting.set_result((message, fds))
        else:
            for fd in fds:  # nobody waits for them any more
                os.close(fd)

    def _lose(self) -> None:
        self._sock.close()
        self.lost.set()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(CriError("the shim is gone"))
                waiting.exception()  # whoever waited may be on its way out itself, and not look


def connect_or_start(folder: Path, linger_seconds: float, isolate: bool = True) -> ShimClient:
    """The shim that works in `folder`: the one of an earlier kubelet if it is still there, else a new one. Blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return ShimClient(_connect(folder))
    except OSError:
        (folder / "shim.sock").unlink(missing_ok=True)
    root = str(Path(kcore.__file__).parent.parent)
    program = f"import sys; sys.path.insert(0, {root!r}); from kcore.node.process.shim.server import main; main()"
    reader, writer = os.pipe()
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", program, str(folder), str(linger_seconds), *([] if isolate else ["shared"])],
        {"PATH": os.defpath},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writer, 1),
            (os.POSIX_SPAWN_OPEN, 2, str(folder / "shim.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ],
        setsid=True,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        if said.readline() != b"ready\n":
            raise CriError(f"the shim did not start; see {folder}/shim.log")
    return ShimClient(_connect(folder))


def _connect(folder: Path) -> socket.socket:
    """Connect through the folder's descriptor: the path of a socket may not be long, but a folder's may."""
    directory = os.open(folder, os.O_PATH)
    try:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(f"/proc/self/fd/{directory}/shim.sock")
        except OSError:
            sock.close()
            raise
        return sock
    finally:
        os.close(directory)
