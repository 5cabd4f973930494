"""exec and attach: a client's streams joined to those of a command, and its outcome told at the end.

Clients speak SPDY (kubectl before 1.31) or WebSocket channels. The command is started before the connection is
upgraded, so that whatever keeps it from starting is an ordinary answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol

import anyio
from aiohttp import web
from anyio.abc import ByteReceiveStream, ByteSendStream

from kcore.api.errors import BadRequest
from kcore.api.meta_v1 import Status
from kcore.server.query import Query
from kcore.server.streaming.channels import CHANNEL_PROTOCOLS
from kcore.server.streaming.outcomes import SUCCESS, encode_outcome, exit_status, failure_status
from kcore.server.streaming.relaying import GONE, copy
from kcore.server.streaming.spdy import SpdyConnection, SpdyStream, accept_spdy
from kcore.server.streaming.upgraded import Done
from kcore.server.streaming.upgrading import Upgrade, spdy_protocol, upgrade_of
from kcore.server.streaming.websocket import LINGER_SECONDS, ChannelSocket, accept_websocket, websocket_protocol

__all__ = ["CommandOptions", "Execution", "Sizes", "command_options", "serve_command"]

SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
CREATION_SECONDS = 30.0
"""How long a client may take to open its streams."""
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)


class Execution(Protocol):
    """A command that runs. Closing it ends the command; of one that was only attached to, it lets go."""

    @property
    def stdin(self) -> ByteSendStream | None: ...

    @property
    def stdout(self) -> ByteReceiveStream: ...

    @property
    def stderr(self) -> ByteReceiveStream | None: ...

    async def wait(self) -> int: ...

    def resize(self, columns: int, rows: int) -> None: ...

    async def aclose(self) -> None: ...


class CommandOptions(NamedTuple):
    """Which streams a client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


def command_options(query: Query) -> CommandOptions:
    """Raises BadRequest where no stream is wanted. A terminal has no standard error."""
    stdin, stdout, stderr, tty = (query.flag(name) for name in ("stdin", "stdout", "stderr", "tty"))
    options = CommandOptions(stdin, stdout, stderr and not tty, tty)
    if not (options.stdin or options.stdout or options.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    return options


class Sizes:
    """Cuts the sizes of a terminal, JSON objects one behind the other, out of bytes as they arrive."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()
        self._text = ""

    def read(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Columns and rows. What is no size is skipped."""
        self._text = (self._text + data.decode(errors="replace")).lstrip()[-1024:]
        while self._text:
            try:
                size, end = self._decoder.raw_decode(self._text)
            except ValueError:
                return
            self._text = self._text[end:].lstrip()
            if isinstance(size, dict):
                columns, rows = size.get("Width", 0), size.get("Height", 0)
                if isinstance(columns, int) and isinstance(rows, int) and 0 < columns < 65536 and 0 < rows < 65536:
                    yield columns, rows


class _Streams(NamedTuple):
    """A client's ends of the streams; None: it does not want that one."""

    stdin: ByteReceiveStream | None
    stdout: ByteSendStream | None
    stderr: ByteSendStream | None
    resizes: ByteReceiveStream | None


class _Client(Protocol):
    """A client whose connection has been upgraded."""

    async def listen(self) -> None:
        """Take what it sends, until it has gone."""

    async def streams(self) -> _Streams:
        """Its streams, once they are all there. Raises TimeoutError."""

    async def finish(self, status: Status) -> None:
        """Tell it the outcome, and wait until it has taken leave."""

    async def abort(self) -> None:
        """Close its connection."""


Accept = Callable[[web.BaseRequest], Awaitable[_Client]]


async def serve_command(
    request: web.BaseRequest,
    options: CommandOptions,
    start: Callable[[], Awaitable[Execution]],
    *,
    tells_code: bool = True,
) -> web.StreamResponse:
    """Upgrade the connection and join it to the command that `start` begins. Raises ApiError before that.

    Who only joined a container is not told its exit code: that all went well, and it has ended.
    """
    accept = _negotiated(request, options)
    execution = await start()
    try:
        client = await accept(request)
        try:
            await _attend(client, execution, tells_code)
        finally:
            await client.abort()
    except GONE:
        pass
    finally:
        with anyio.CancelScope(shield=True):
            await execution.aclose()
    return Done()


def _negotiated(request: web.BaseRequest, options: CommandOptions) -> Accept:
    """How to upgrade the connection to what client and server both speak. Raises ApiError where there is nothing."""
    if upgrade_of(request.headers) is Upgrade.WEBSOCKET:
        return partial(_WebSocketClient.accept, options, websocket_protocol(request, tuple(CHANNEL_PROTOCOLS)))
    return partial(_SpdyClient.accept, options, spdy_protocol(request.headers, SPDY_PROTOCOLS))


async def _attend(client: _Client, execution: Execution, tells_code: bool) -> None:
    """Until the command has ended or the client has gone."""
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            await client.listen()
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        with suppress(*GONE, TimeoutError):
            await _converse(client, execution, tells_code)
        tasks.cancel_scope.cancel()


async def _converse(client: _Client, execution: Execution, tells_code: bool) -> None:
    streams = await client.streams()
    async with anyio.create_task_group() as inputs:
        if streams.stdin is not None and execution.stdin is not None:
            inputs.start_soon(_feed, streams.stdin, execution.stdin)
        if streams.resizes is not None:
            inputs.start_soon(_resize, streams.resizes, execution)
        async with anyio.create_task_group() as outputs:
            outputs.start_soon(copy, execution.stdout, streams.stdout)
            if execution.stderr is not None:
                outputs.start_soon(copy, execution.stderr, streams.stderr)
        status = await _outcome(execution, tells_code)
        inputs.cancel_scope.cancel()
    await client.finish(status)


async def _outcome(execution: Execution, tells_code: bool) -> Status:
    try:
        code = await execution.wait()
        return exit_status(code) if tells_code else SUCCESS
    except Exception as error:
        return failure_status(error)


async def _feed(source: ByteReceiveStream, stdin: ByteSendStream) -> None:
    await copy(source, stdin)
    await stdin.aclose()
    await source.aclose()  # what the client still sends has no reader


async def _resize(source: ByteReceiveStream, execution: Execution) -> None:
    sizes = Sizes()
    try:
        while True:
            for columns, rows in sizes.read(await source.receive()):
                execution.resize(columns, rows)
    except (anyio.EndOfStream, *GONE):
        return


class _WebSocketClient:
    """Channels on a WebSocket."""

    def __init__(self, socket: ChannelSocket, options: CommandOptions) -> None:
        self._socket = socket
        self._options = options

    @classmethod
    async def accept(cls, options: CommandOptions, name: str, request: web.BaseRequest) -> _WebSocketClient:
        reading = (STDIN, RESIZE) if options.stdin else (RESIZE,)
        websocket = await accept_websocket(request, name)
        socket = ChannelSocket(websocket, CHANNEL_PROTOCOLS[name], count=5, reading=reading)
        # An empty message on the first channel that will be written to says that the command has begun.
        await socket.send(STDOUT if options.stdout else STDERR if options.stderr else ERROR, b"")
        return cls(socket, options)

    async def listen(self) -> None:
        await self._socket.run()

    async def streams(self) -> _Streams:
        options, channels = self._options, self._socket.channels
        return _Streams(
            channels[STDIN].inbox if options.stdin else None,
            channels[STDOUT] if options.stdout else None,
            channels[STDERR] if options.stderr else None,
            channels[RESIZE].inbox if options.tty else None,
        )

    async def finish(self, status: Status) -> None:
        outcome = encode_outcome(status, self._socket.protocol.version)
        if outcome:
            await self._socket.send(ERROR, outcome)
        await self._socket.aclose()

    async def abort(self) -> None:
        await self._socket.abort()


class _SpdyClient:
    """One SPDY stream for each of the command's, told apart by a header."""

    def __init__(self, connection: SpdyConnection, version: int, options: CommandOptions) -> None:
        self._connection = connection
        self._version = version
        wanted = {"error": True, **options._asdict(), "resize": options.tty and version >= 3}
        self._expected = {name for name, flag in wanted.items() if flag} - {"tty"}
        self._streams: dict[str, SpdyStream] = {}
        self._complete = anyio.Event()

    @classmethod
    async def accept(cls, options: CommandOptions, name: str, request: web.BaseRequest) -> _SpdyClient:
        version = 4 - SPDY_PROTOCOLS.index(name)
        return cls(await accept_spdy(request, name), version, options)

    async def listen(self) -> None:
        await self._connection.run(self._opened)

    def _opened(self, stream: SpdyStream) -> None:
        self._streams[stream.headers.get("streamtype", "")] = stream
        if self._expected <= self._streams.keys():
            self._complete.set()

    async def streams(self) -> _Streams:
        with anyio.fail_after(CREATION_SECONDS):
            await self._complete.wait()
        found = {name: self._streams[name] for name in self._expected}
        return _Streams(found.get("stdin"), found.get("stdout"), found.get("stderr"), found.get("resize"))

    async def finish(self, status: Status) -> None:
        outcome = encode_outcome(status, self._version)
        if outcome:
            await self._streams["error"].send(outcome)
        for stream in self._streams.values():
            await stream.aclose()
        await anyio.sleep(LINGER_SECONDS)  # ends when the client has closed the connection

    async def abort(self) -> None:
        await self._connection.aclose()
