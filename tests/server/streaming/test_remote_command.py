"""exec and attach, over every protocol that a client may speak."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.errors import ApiError, BadRequest, InternalError
from kcore.server.query import Query, parse_query
from kcore.server.streaming.remote_command import CommandOptions, Sizes, command_options, serve_command
from tests.server.streaming.talking import (
    Command,
    Refused,
    answering,
    command_streams,
    messages,
    read_all,
    spdy,
    websocket,
)

FAILURE = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: exit status 3",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
SUCCESS = {"metadata": {}, "status": "Success"}
OUTPUT = "/exec?stdout=1&stderr=1"
ALL = "/exec?stdin=1&stdout=1&stderr=1"


@asynccontextmanager
async def running(command: Command | ApiError) -> AsyncIterator[int]:
    """A server at which every request runs the command."""

    async def start() -> Command:
        if isinstance(command, ApiError):
            raise command
        return command

    async def handle(request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return await serve_command(request, command_options(query), start)

    async with answering(handle) as port:
        yield port


@pytest.mark.parametrize("version", [4, 3, 2, 1])
async def test_spdy_client_gets_output_and_outcome(version: int) -> None:
    name = "channel.k8s.io" if version == 1 else f"v{version}.channel.k8s.io"
    async with running(Command(b"out", b"err", 3)) as port, spdy(port, OUTPUT, name) as connection:
        streams = await command_streams(connection, "error", "stdout", "stderr")
        assert await read_all(streams["stdout"]) == b"out"
        assert await read_all(streams["stderr"]) == b"err"
        outcome = await read_all(streams["error"])
        if version == 4:
            assert json.loads(outcome) == FAILURE
        else:
            assert outcome == b"command terminated with non-zero exit code: exit status 3"


async def test_spdy_client_s_input_ends_the_command() -> None:
    async with running(Command(cat=True)) as port, spdy(port, ALL, "v4.channel.k8s.io") as connection:
        streams = await command_streams(connection, "error", "stdin", "stdout", "stderr")
        await streams["stdin"].send(b"x" * 300_000)
        await streams["stdin"].send_eof()
        assert await read_all(streams["stdout"]) == b"x" * 300_000
        assert json.loads(await read_all(streams["error"])) == SUCCESS


@pytest.mark.parametrize(
    ("protocol", "outcome"),
    [
        ("v5.channel.k8s.io", FAILURE),
        ("v4.channel.k8s.io", FAILURE),
        ("v4.base64.channel.k8s.io", FAILURE),
        ("channel.k8s.io", FAILURE["message"]),
        ("base64.channel.k8s.io", FAILURE["message"]),
        (None, FAILURE["message"]),
    ],
)
async def test_websocket_client_gets_output_and_outcome(protocol: str | None, outcome: object) -> None:
    protocols = (protocol,) if protocol else ()
    async with running(Command(b"out", b"err", 3)) as port, websocket(port, OUTPUT, *protocols) as socket:
        assert socket.protocol == protocol
        heard = await messages(socket)
    assert (heard[1], heard[2]) == (b"out", b"err")
    assert (heard[3].decode() if isinstance(outcome, str) else json.loads(heard[3])) == outcome
    assert socket.close_code == 1000


async def test_first_common_protocol_of_the_client_is_taken() -> None:
    async with (
        running(Command()) as port,
        websocket(port, OUTPUT, "v9.channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io") as socket,
    ):
        assert socket.protocol == "v4.channel.k8s.io"
        assert json.loads((await messages(socket))[3]) == SUCCESS


async def test_version_5_client_closes_its_input() -> None:
    async with running(Command(cat=True)) as port, websocket(port, ALL, "v5.channel.k8s.io") as socket:
        await socket.send_bytes(b"\0hello")
        await socket.send_bytes(b"\xff\0")
        heard = await messages(socket)
    assert heard[1] == b"hello"
    assert json.loads(heard[3]) == SUCCESS


async def test_base64_client_sends_text() -> None:
    command = Command(cat=True)
    async with running(command) as port, websocket(port, ALL, "v4.base64.channel.k8s.io") as socket:
        await socket.send_str("0" + base64.b64encode(b"hello").decode())
        assert await socket.receive_str() == "1", "the empty message that tells of the start"
        assert base64.b64decode((await socket.receive_str())[1:]) == b"hello"


async def test_command_ends_when_its_client_has_gone() -> None:
    for connect in (_abandoned_spdy, _abandoned_websocket):
        command = Command(cat=True)
        async with running(command) as port:
            await connect(port)
            with anyio.fail_after(10):
                await command.closed.wait()


async def _abandoned_spdy(port: int) -> None:
    async with spdy(port, ALL, "v4.channel.k8s.io") as connection:
        await command_streams(connection, "error", "stdin", "stdout", "stderr")


async def _abandoned_websocket(port: int) -> None:
    async with websocket(port, ALL, "v5.channel.k8s.io") as socket:
        await socket.receive_bytes()


async def test_terminal_is_resized() -> None:
    query = "/exec?stdin=1&stdout=1&tty=1"
    command = Command(cat=True)
    async with running(command) as port, spdy(port, query, "v4.channel.k8s.io") as connection:
        streams = await command_streams(connection, "error", "stdin", "stdout", "resize")
        await streams["resize"].send(b'{"Width":80,"Height":24}\n{"Width":1')
        await streams["resize"].send(b'00,"Height":30}\n')
        assert await command.sizes.get() == (80, 24)
        assert await command.sizes.get() == (100, 30)
    command = Command(cat=True)
    async with running(command) as port, websocket(port, query, "v5.channel.k8s.io") as socket:
        await socket.send_bytes(b'\4{"Width":132,"Height":43}')
        assert await command.sizes.get() == (132, 43)


async def test_what_goes_wrong_while_running_is_the_outcome() -> None:
    async with (
        running(Command(code=OSError("lost it"))) as port,
        websocket(port, OUTPUT, "v5.channel.k8s.io") as socket,
    ):
        outcome = json.loads((await messages(socket))[3])
    assert outcome["reason"] == "InternalError"
    assert outcome["message"] == "Internal error occurred: error executing command in container: lost it"


async def test_what_keeps_a_command_from_starting_is_an_ordinary_answer() -> None:
    async with running(InternalError.because("container not found")) as port:
        with pytest.raises(Refused, match=r"500 Internal(.|\n)*container not found"):
            async with spdy(port, OUTPUT, "v4.channel.k8s.io"):
                pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with websocket(port, OUTPUT, "v5.channel.k8s.io"):
                pass
        assert refused.value.status == 500


@pytest.mark.parametrize(
    ("protocols", "answer"),
    [
        ((), "unable to upgrade: header X-Stream-Protocol-Version does not exist in request with 4 headers"),
        ((" ",), "unable to upgrade: header X-Stream-Protocol-Version contains [], but no valid protocols"),
        (
            ("v9.k8s.io", "v8.k8s.io"),
            "unable to upgrade: unable to negotiate protocol: client supports [v9.k8s.io v8.k8s.io], server accepts "
            "[v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]",
        ),
    ],
)
async def test_client_that_knows_no_common_protocol_is_refused(protocols: tuple[str, ...], answer: str) -> None:
    command = Command()
    async with running(command) as port:
        with pytest.raises(Refused) as refused:
            async with spdy(port, OUTPUT, *protocols):
                pass
    assert answer in str(refused.value)
    assert not command.closed.is_set(), "nothing was started"


async def test_websocket_client_that_knows_no_common_protocol_is_refused() -> None:
    async with running(Command()) as port:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with websocket(port, OUTPUT, "v9.k8s.io"):
                pass
    assert refused.value.status == 403


async def test_plain_request_is_asked_to_upgrade() -> None:
    async with (
        running(Command()) as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{OUTPUT}") as answer,
    ):
        assert (answer.status, await answer.text()) == (400, "Upgrade request required")


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("stdin=1&stdout=true", CommandOptions(stdin=True, stdout=True)),
        ("stdout=1&stderr=1&tty=1", CommandOptions(stdout=True, tty=True)),
        ("stdin=0&stdout=false&stderr=1", CommandOptions(stderr=True)),
        ("tty=1", None),
        ("", None),
        ("stderr=1&tty=1", None),
    ],
)
def test_streams_that_a_query_asks_for(query: str, options: CommandOptions | None) -> None:
    if options is not None:
        assert command_options(parse_query(query)) == options
    else:
        with pytest.raises(BadRequest, match="you must specify at least 1 of stdin, stdout, stderr"):
            command_options(parse_query(query))


@given(
    st.lists(st.tuples(st.integers(1, 65535), st.integers(1, 65535)), max_size=5),
    st.lists(st.integers(0, 120), max_size=5),
)
def test_sizes_are_read_however_they_arrive(sizes: list[tuple[int, int]], cuts: list[int]) -> None:
    wire = b"".join(json.dumps({"Width": width, "Height": height}).encode() + b"\n" for width, height in sizes)
    reader, start = Sizes(), 0
    read: list[tuple[int, int]] = []
    for cut in (*sorted(cuts), len(wire)):
        read += reader.read(wire[start:cut])
        start = max(start, cut)
    assert read == sizes


@given(st.binary(max_size=100))
def test_any_bytes_are_sizes_or_skipped(wire: bytes) -> None:
    assert all(0 < columns < 65536 for columns, _ in Sizes().read(wire))
