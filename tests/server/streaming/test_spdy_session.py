"""Two ends of a SPDY connection talk; a table says what each misdeed of a peer leads to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.server.streaming.spdy_frames import (
    Data,
    Frame,
    FrameError,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    ResetStatus,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kcore.server.streaming.spdy_session import (
    WINDOW,
    DataReceived,
    Event,
    GoneAway,
    Session,
    StreamEnded,
    StreamOpened,
    StreamReplied,
    StreamReset,
    WindowOpened,
)


class Pair:
    """A client and a server; `client_hears` and `server_hears` carry over what the other has sent."""

    def __init__(self) -> None:
        self.client, self.server = Session(is_server=False), Session(is_server=True)

    def server_hears(self) -> list[Event]:
        return list(self.server.receive(self.client.take_output()))

    def client_hears(self) -> list[Event]:
        return list(self.client.receive(self.server.take_output()))


def after(*frames: Frame, server: bool = True) -> tuple[list[Event], list[Frame]]:
    """What a session makes of a peer's frames, and what it answers."""
    session, writer = Session(is_server=server), FrameWriter()
    events = [event for frame in frames for event in session.receive(writer.write(frame))]
    return events, list(FrameReader().read(session.take_output()))


def test_a_stream_is_opened_replied_to_and_ended_from_both_sides() -> None:
    pair = Pair()
    stream = pair.client.open({"streamtype": "stdin"})
    assert pair.server_hears() == [StreamOpened(1, {"streamtype": "stdin"})]
    pair.server.reply(stream)
    pair.server.send(stream, b"out")
    assert pair.client_hears() == [StreamReplied(1, {}), DataReceived(1, b"out")]
    pair.client.send(stream, b"in")
    pair.client.end(stream)
    assert pair.server_hears() == [DataReceived(1, b"in"), StreamEnded(1)]
    assert pair.server.is_sending(stream)
    pair.server.end(stream)
    assert pair.client_hears() == [StreamEnded(1)]
    assert not pair.server.is_sending(stream)
    assert not pair.client.is_sending(stream)


def test_each_side_numbers_its_own_streams() -> None:
    pair = Pair()
    assert [pair.client.open({}) for _ in range(3)] == [1, 3, 5]
    assert [pair.server.open({}) for _ in range(2)] == [2, 4]


def test_ending_twice_says_it_once() -> None:
    pair = Pair()
    stream = pair.client.open({})
    pair.client.end(stream)
    pair.client.end(stream)
    assert pair.server_hears() == [StreamOpened(1, {}), StreamEnded(1)]


def test_reset_ends_both_directions() -> None:
    pair = Pair()
    stream = pair.client.open({})
    pair.server_hears()
    pair.server.reset(stream, ResetStatus.REFUSED_STREAM)
    pair.server.reset(stream)
    assert pair.client_hears() == [StreamReset(1, 3)]
    assert pair.client.sendable(stream) == 0


def test_no_stream_is_opened_on_a_connection_that_goes_away() -> None:
    pair = Pair()
    pair.client.open({})
    pair.server_hears()
    pair.server.go_away()
    assert pair.client_hears() == [GoneAway(1)]
    with pytest.raises(FrameError):
        pair.client.open({})


@pytest.mark.parametrize(
    ("frames", "events", "answers"),
    [
        pytest.param([Ping(1)], [], [Ping(1)], id="a ping is answered"),
        pytest.param([Ping(2)], [], [], id="our own ping is not"),
        pytest.param([SynStream(2, {})], [], [RstStream(2, 1)], id="a client has no even stream"),
        pytest.param(
            [SynStream(3, {}), SynStream(1, {})],
            [StreamOpened(3, {})],
            [RstStream(1, 1)],
            id="stream ids grow",
        ),
        pytest.param([Data(1, b"x")], [], [], id="data of a stream that is over is dropped"),
        pytest.param([RstStream(1, 5), SynReply(1, {})], [], [], id="so are its other frames"),
        pytest.param(
            [SynStream(1, {}, fin=True), Data(1, b"x")],
            [StreamOpened(1, {}), StreamEnded(1), StreamReset(1, 9)],
            [RstStream(1, 9)],
            id="data after the end is a reset",
        ),
        pytest.param([GoAway(0)], [GoneAway(0)], [], id="the peer goes away"),
        pytest.param([Settings(0)], [], [], id="settings without a window say nothing"),
        pytest.param(
            [SynStream(1, {}), WindowUpdate(1, 5)], [StreamOpened(1, {}), WindowOpened(1)], [], id="a window opens"
        ),
    ],
)
def test_frames_mean(frames: list[Frame], events: list[Event], answers: list[Frame]) -> None:
    assert after(*frames) == (events, answers)


def test_new_streams_are_refused_while_going_away() -> None:
    session, writer = Session(is_server=True), FrameWriter()
    session.go_away()
    assert list(session.receive(writer.write(SynStream(1, {})))) == []
    assert list(FrameReader().read(session.take_output())) == [GoAway(0), RstStream(1, ResetStatus.REFUSED_STREAM)]


def test_a_peer_that_never_speaks_of_windows_is_sent_all() -> None:
    pair = Pair()
    stream = pair.client.open({})
    for _ in range(4):
        pair.client.send(stream, bytes(WINDOW))
    assert pair.client.sendable(stream) > WINDOW


def test_the_window_of_a_peer_that_keeps_one_is_heeded() -> None:
    session, writer = Session(is_server=False), FrameWriter()
    stream = session.open({})
    list(session.receive(writer.write(Settings(100))))
    assert session.sendable(stream) == 100
    session.send(stream, bytes(60))
    assert session.sendable(stream) == 40
    assert list(session.receive(writer.write(WindowUpdate(stream, 10)))) == [WindowOpened(stream)]
    assert session.sendable(stream) == 50


def test_what_was_consumed_is_granted_anew_to_a_peer_that_keeps_windows() -> None:
    for keeps_windows in (False, True):
        session, writer = Session(is_server=True), FrameWriter()
        list(session.receive(writer.write(SynStream(1, {}))))
        if keeps_windows:
            list(session.receive(writer.write(WindowUpdate(1, 1))))
        session.consumed(1, WINDOW // 4)
        assert session.take_output() == b"", "small amounts are collected"
        session.consumed(1, WINDOW // 4)
        answer = list(FrameReader().read(session.take_output()))
        assert answer == ([WindowUpdate(1, WINDOW // 2)] if keeps_windows else [])


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=50)), max_size=40))
def test_each_stream_arrives_whole_and_in_order(writes: list[tuple[int, bytes]]) -> None:
    pair = Pair()
    streams = [pair.client.open({}) for _ in range(4)]
    for index, data in writes:
        pair.client.send(streams[index], data)
    received: dict[int, bytes] = {}
    for event in pair.server_hears():
        if isinstance(event, DataReceived):
            received[event.stream_id] = received.get(event.stream_id, b"") + event.data
    for index, stream in enumerate(streams):
        assert received.get(stream, b"") == b"".join(data for to, data in writes if to == index)
