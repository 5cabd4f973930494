"""One end of a SPDY/3.1 connection as a state machine: bytes in, events and bytes out, no socket.

It speaks as moby/spdystream does, which every Kubernetes component uses. That library keeps no flow-control windows:
it sends beyond them, and never opens the other side's. So a window counts only once the peer has spoken of windows
(SETTINGS or WINDOW_UPDATE); until then the connection's own back pressure is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from kcore.server.streaming.spdy_frames import (
    FRAME_MAX,
    Data,
    Frame,
    FrameError,
    FrameReader,
    FrameWriter,
    GoAway,
    HeadersFrame,
    Ping,
    ResetStatus,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kcore.server.streaming.spdy_headers import Headers

__all__ = [
    "DataReceived",
    "Event",
    "GoneAway",
    "Session",
    "StreamEnded",
    "StreamOpened",
    "StreamReplied",
    "StreamReset",
    "WindowOpened",
]

WINDOW = 64 * 1024
STREAMS_MAX = 4096
"""How many streams a peer may have open at once."""


class StreamOpened(NamedTuple):
    stream_id: int
    headers: Headers


class StreamReplied(NamedTuple):
    stream_id: int
    headers: Headers


class DataReceived(NamedTuple):
    stream_id: int
    data: bytes


class StreamEnded(NamedTuple):
    """The peer sends no more; we still may."""

    stream_id: int


class StreamReset(NamedTuple):
    """Both directions are over."""

    stream_id: int
    status: int


class WindowOpened(NamedTuple):
    """`sendable` has grown."""

    stream_id: int


class GoneAway(NamedTuple):
    """The peer takes no new streams; those up to `last_stream_id` go on."""

    last_stream_id: int


Event: TypeAlias = StreamOpened | StreamReplied | DataReceived | StreamEnded | StreamReset | WindowOpened | GoneAway


@dataclass(slots=True)
class _Stream:
    """`sent` and `granted`: bytes that went out, and those that the peer's window has allowed in all."""

    sending: bool = True
    receiving: bool = True
    granted: int = WINDOW
    sent: int = 0
    unacknowledged: int = 0


@dataclass(slots=True)
class _Peer:
    """What the other end has said of itself."""

    keeps_windows: bool = False
    initial_window: int = WINDOW
    gone_away: bool = False
    last_stream_id: int = 0


@dataclass(slots=True)
class Session:
    """A client's streams have odd ids, a server's even ones. What methods send is given out by `take_output`."""

    is_server: bool
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _peer: _Peer = field(default_factory=_Peer)
    _reader: FrameReader = field(default_factory=FrameReader)
    _writer: FrameWriter = field(default_factory=FrameWriter)
    _output: list[bytes] = field(default_factory=list)
    _next_id: int = 0
    _going_away: bool = False

    def __post_init__(self) -> None:
        self._next_id = 2 if self.is_server else 1

    def take_output(self) -> bytes:
        """What is to be sent now."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def receive(self, data: bytes) -> Iterator[Event]:
        """What the peer's bytes mean. Raises FrameError where they mean nothing."""
        for frame in self._reader.read(data):
            yield from self._received(frame)

    def open(self, headers: Headers) -> int:
        """Begin a stream."""
        if self._peer.gone_away or self._going_away:
            raise FrameError("the connection takes no new streams")
        stream_id, self._next_id = self._next_id, self._next_id + 2
        self._add(stream_id)
        self._send(SynStream(stream_id, headers))
        return stream_id

    def reply(self, stream_id: int) -> None:
        """Accept a stream that the peer has opened."""
        if stream_id in self._streams:
            self._send(SynReply(stream_id, {}))

    def sendable(self, stream_id: int) -> int:
        """How many bytes the stream takes now; 0 for one that is over."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.sending:
            return 0
        return stream.granted - stream.sent if self._peer.keeps_windows else FRAME_MAX

    def is_sending(self, stream_id: int) -> bool:
        """Whether we may still send on a stream, now or later."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.sending

    def send(self, stream_id: int, data: bytes) -> None:
        """Send no more than `sendable` bytes."""
        assert len(data) <= self.sendable(stream_id)
        self._streams[stream_id].sent += len(data)
        self._send(Data(stream_id, data))

    def end(self, stream_id: int) -> None:
        """Send no more on a stream; once is enough."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.sending:
            stream.sending = False
            self._send(Data(stream_id, b"", fin=True))
            self._forget_if_over(stream_id)

    def reset(self, stream_id: int, status: ResetStatus = ResetStatus.CANCEL) -> None:
        """End both directions of a stream at once."""
        if self._streams.pop(stream_id, None) is not None:
            self._send(RstStream(stream_id, status))

    def consumed(self, stream_id: int, size: int) -> None:
        """So many bytes of a stream have been used: open the window again, for a peer that keeps one."""
        stream = self._streams.get(stream_id)
        if stream is None or not self._peer.keeps_windows:
            return
        stream.unacknowledged += size
        if stream.unacknowledged >= WINDOW // 2 and stream.receiving:
            self._send(WindowUpdate(stream_id, stream.unacknowledged))
            stream.unacknowledged = 0

    def go_away(self) -> None:
        """Take no new streams."""
        if not self._going_away:
            self._going_away = True
            self._send(GoAway(self._peer.last_stream_id))

    def _send(self, frame: Frame) -> None:
        self._output.append(self._writer.write(frame))

    def _add(self, stream_id: int, *, sending: bool = True, receiving: bool = True) -> None:
        self._streams[stream_id] = _Stream(sending, receiving, self._peer.initial_window)

    def _forget_if_over(self, stream_id: int) -> None:
        stream = self._streams[stream_id]
        if not stream.sending and not stream.receiving:
            del self._streams[stream_id]

    def _received(self, frame: Frame) -> Iterator[Event]:
        match frame:
            case Data(stream_id, data, fin):
                yield from self._data(stream_id, data, fin)
            case SynStream():
                yield from self._opened(frame)
            case SynReply(stream_id, headers, fin):
                if stream_id in self._streams:
                    yield StreamReplied(stream_id, headers)
                    yield from self._ended(stream_id, fin)
            case HeadersFrame(stream_id, _, fin):
                yield from self._ended(stream_id, fin)
            case RstStream(stream_id, status):
                if self._streams.pop(stream_id, None) is not None:
                    yield StreamReset(stream_id, status)
            case Ping(ping_id):
                if ping_id % 2 == (1 if self.is_server else 0):
                    self._send(frame)
            case GoAway(last_stream_id):
                self._peer.gone_away = True
                yield GoneAway(last_stream_id)
            case Settings(initial_window):
                yield from self._settings(initial_window)
            case WindowUpdate(stream_id, delta):
                yield from self._granted(stream_id, delta)

    def _opened(self, frame: SynStream) -> Iterator[Event]:
        stream_id = frame.stream_id
        wrong_side = stream_id % 2 == (0 if self.is_server else 1)
        if wrong_side or stream_id <= self._peer.last_stream_id:
            self._send(RstStream(stream_id, ResetStatus.PROTOCOL_ERROR))
            return
        self._peer.last_stream_id = stream_id
        if self._going_away or len(self._streams) >= STREAMS_MAX:
            self._send(RstStream(stream_id, ResetStatus.REFUSED_STREAM))
            return
        self._add(stream_id, sending=not frame.unidirectional)
        yield StreamOpened(stream_id, frame.headers)
        yield from self._ended(stream_id, frame.fin)

    def _data(self, stream_id: int, data: bytes, fin: bool) -> Iterator[Event]:
        stream = self._streams.get(stream_id)
        if stream is None:
            return  # what was still on its way to a stream that is over
        if not stream.receiving:
            self.reset(stream_id, ResetStatus.STREAM_ALREADY_CLOSED)
            yield StreamReset(stream_id, ResetStatus.STREAM_ALREADY_CLOSED)
            return
        if data:
            yield DataReceived(stream_id, data)
        yield from self._ended(stream_id, fin)

    def _ended(self, stream_id: int, fin: bool) -> Iterator[Event]:
        stream = self._streams.get(stream_id)
        if fin and stream is not None and stream.receiving:
            stream.receiving = False
            self._forget_if_over(stream_id)
            yield StreamEnded(stream_id)

    def _settings(self, initial_window: int) -> Iterator[Event]:
        if not initial_window:
            return
        self._peer.keeps_windows = True
        growth, self._peer.initial_window = initial_window - self._peer.initial_window, initial_window
        for stream_id, stream in self._streams.items():
            stream.granted += growth
            yield WindowOpened(stream_id)

    def _granted(self, stream_id: int, delta: int) -> Iterator[Event]:
        self._peer.keeps_windows = True
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.granted += delta
            yield WindowOpened(stream_id)
