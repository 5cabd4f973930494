"""Frames of SPDY/3.1, and the bytes that they are on the wire."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from kcore.server.streaming.spdy_headers import HeaderError, HeaderReader, Headers, HeaderWriter

__all__ = [
    "Data",
    "Frame",
    "FrameError",
    "FrameReader",
    "FrameWriter",
    "GoAway",
    "HeadersFrame",
    "Ping",
    "ResetStatus",
    "RstStream",
    "Settings",
    "SynReply",
    "SynStream",
    "WindowUpdate",
]

FRAME_MAX = 2**24 - 1  # bytes after the head: its length has 24 bits
FIN = 0x01
UNIDIRECTIONAL = 0x02
INITIAL_WINDOW_SIZE = 7  # the id of a setting
_VERSION = 3
_CONTROL = 0x8000
_STREAM_IDS = 0x7FFFFFFF
_HEAD = struct.Struct("!IB3s")
_CONTROL_HEAD = struct.Struct("!HHB3s")
_ONE = struct.Struct("!I")
_TWO = struct.Struct("!II")
_SYN_STREAM = struct.Struct("!IIBB")


class FrameError(Exception):
    """Bytes that are no SPDY/3.1: the connection is of no use any more."""


class ResetStatus(IntEnum):
    """Why a stream is ended at once."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    UNSUPPORTED_VERSION = 4
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_IN_USE = 8
    STREAM_ALREADY_CLOSED = 9


class SynStream(NamedTuple):
    stream_id: int
    headers: Headers
    fin: bool = False
    unidirectional: bool = False
    priority: int = 0


class SynReply(NamedTuple):
    stream_id: int
    headers: Headers
    fin: bool = False


class HeadersFrame(NamedTuple):
    stream_id: int
    headers: Headers
    fin: bool = False


class RstStream(NamedTuple):
    stream_id: int
    status: int


class Settings(NamedTuple):
    """Only one setting means anything to streams; 0: it was not sent."""

    initial_window: int = 0


class Ping(NamedTuple):
    ping_id: int


class GoAway(NamedTuple):
    last_stream_id: int
    status: int = 0


class WindowUpdate(NamedTuple):
    stream_id: int
    delta: int


class Data(NamedTuple):
    stream_id: int
    data: bytes
    fin: bool = False


Frame: TypeAlias = SynStream | SynReply | HeadersFrame | RstStream | Settings | Ping | GoAway | WindowUpdate | Data


class FrameWriter:
    """Turns frames into bytes, in the order in which they are sent."""

    def __init__(self) -> None:
        self._headers = HeaderWriter()

    def write(self, frame: Frame) -> bytes:
        match frame:
            case Data(stream_id, data, fin):
                return _HEAD.pack(stream_id, FIN if fin else 0, _length(len(data))) + data
            case SynStream(stream_id, headers, fin, unidirectional, priority):
                flags = (FIN if fin else 0) | (UNIDIRECTIONAL if unidirectional else 0)
                head = _SYN_STREAM.pack(stream_id, 0, priority << 5, 0)
                return _control(1, flags, head + self._headers.write(headers))
            case SynReply(stream_id, headers, fin):
                return _control(2, FIN if fin else 0, _ONE.pack(stream_id) + self._headers.write(headers))
            case RstStream(stream_id, status):
                return _control(3, 0, _TWO.pack(stream_id, status))
            case Settings(initial_window):
                entry = _TWO.pack(INITIAL_WINDOW_SIZE, initial_window)
                return _control(4, 0, _ONE.pack(1) + entry if initial_window else _ONE.pack(0))
            case Ping(ping_id):
                return _control(6, 0, _ONE.pack(ping_id))
            case GoAway(last_stream_id, status):
                return _control(7, 0, _TWO.pack(last_stream_id, status))
            case HeadersFrame(stream_id, headers, fin):
                return _control(8, FIN if fin else 0, _ONE.pack(stream_id) + self._headers.write(headers))
            case WindowUpdate(stream_id, delta):
                return _control(9, 0, _TWO.pack(stream_id, delta))


def _length(length: int) -> bytes:
    assert length <= FRAME_MAX
    return length.to_bytes(3, "big")


def _control(type_: int, flags: int, body: bytes) -> bytes:
    return _CONTROL_HEAD.pack(_CONTROL | _VERSION, type_, flags, _length(len(body))) + body


class FrameReader:
    """Cuts frames out of the bytes of one direction, however these arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._headers = HeaderReader()

    def read(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now. Raises FrameError."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEAD.size:
                end = at + _HEAD.size + int.from_bytes(self._buffer[at + 5 : at + 8], "big")
                if end > len(self._buffer):
                    return
                frame, at = self._frame(at, end), end
                if frame is not None:
                    yield frame
        finally:
            del self._buffer[:at]

    def _frame(self, start: int, end: int) -> Frame | None:
        """None: a kind of frame that is to be ignored (CREDENTIAL, and whatever a later version may add)."""
        body = bytes(self._buffer[start + _HEAD.size : end])
        first, flags, _ = _HEAD.unpack_from(self._buffer, start)
        if not first & (_CONTROL << 16):
            return Data(first, body, bool(flags & FIN))
        version, type_ = (first >> 16) & ~_CONTROL, first & 0xFFFF
        if version != _VERSION:
            raise FrameError(f"SPDY version {version} is not spoken here")
        try:
            return self._control_frame(type_, flags, body)
        except struct.error:
            raise FrameError(f"a frame of type {type_} is too short") from None
        except HeaderError as error:
            raise FrameError(str(error)) from None

    def _control_frame(self, type_: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & FIN)
        match type_:
            case 1:
                stream_id, _, priority, _ = _SYN_STREAM.unpack_from(body)
                headers = self._headers.read(body[_SYN_STREAM.size :])
                one_way = bool(flags & UNIDIRECTIONAL)
                return SynStream(stream_id & _STREAM_IDS, headers, fin, one_way, priority >> 5)
            case 2:
                return SynReply(_stream_id(body), self._headers.read(body[_ONE.size :]), fin)
            case 3:
                stream_id, status = _TWO.unpack_from(body)
                return RstStream(stream_id & _STREAM_IDS, status)
            case 4:
                return _settings(body)
            case 6:
                return Ping(_ONE.unpack_from(body)[0])
            case 7:
                stream_id, status = _TWO.unpack_from(body)
                return GoAway(stream_id & _STREAM_IDS, status)
            case 8:
                return HeadersFrame(_stream_id(body), self._headers.read(body[_ONE.size :]), fin)
            case 9:
                stream_id, delta = _TWO.unpack_from(body)
                return WindowUpdate(stream_id & _STREAM_IDS, delta & _STREAM_IDS)
        return None


def _stream_id(body: bytes) -> int:
    return int(_ONE.unpack_from(body)[0]) & _STREAM_IDS


def _settings(body: bytes) -> Settings:
    (count,) = _ONE.unpack_from(body)
    if len(body) != _ONE.size + count * _TWO.size:
        raise FrameError("a SETTINGS frame is of another length than it says")
    values = {key & 0xFFFFFF: value for key, value in _TWO.iter_unpack(body[_ONE.size :])}
    return Settings(values.get(INITIAL_WINDOW_SIZE, 0))
