"""Frames and header blocks against the bytes of the specification, and against themselves in pieces."""

from __future__ import annotations

import contextlib
import zlib

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
    HeadersFrame,
    Ping,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)
from kcore.server.streaming.spdy_headers import DICTIONARY, HeaderError, HeaderReader, HeaderWriter

IDS = st.integers(1, 2**31 - 1)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
HEADERS = st.dictionaries(NAMES, st.text(max_size=50), max_size=5)
FRAMES = st.one_of(
    st.builds(Data, IDS, st.binary(max_size=300), st.booleans()),
    st.builds(SynStream, IDS, HEADERS, st.booleans(), st.booleans(), st.integers(0, 7)),
    st.builds(SynReply, IDS, HEADERS, st.booleans()),
    st.builds(HeadersFrame, IDS, HEADERS, st.booleans()),
    st.builds(RstStream, IDS, st.integers(1, 9)),
    st.builds(Settings, st.integers(0, 2**31 - 1)),
    st.builds(Ping, st.integers(0, 2**32 - 1)),
    st.builds(GoAway, IDS, st.integers(0, 2)),
    st.builds(WindowUpdate, IDS, st.integers(1, 2**31 - 1)),
)


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (Data(1, b"ab"), "00000001 00 000002 6162"),
        (Data(3, b"", fin=True), "00000003 01 000000"),
        (RstStream(5, 3), "8003 0003 00 000008 00000005 00000003"),
        (Ping(7), "8003 0006 00 000004 00000007"),
        (GoAway(9, 0), "8003 0007 00 000008 00000009 00000000"),
        (WindowUpdate(1, 65536), "8003 0009 00 000008 00000001 00010000"),
        (Settings(1024), "8003 0004 00 00000c 00000001 00000007 00000400"),
    ],
)
def test_frame_is_these_bytes(frame: Frame, wire: str) -> None:
    assert FrameWriter().write(frame) == bytes.fromhex(wire)


def test_header_block_is_deflated_with_the_dictionary() -> None:
    frame = FrameWriter().write(SynStream(1, {"streamType": "error"}))
    assert frame[:18] == bytes.fromhex("8003 0001 00") + (len(frame) - 8).to_bytes(3, "big") + bytes.fromhex(
        "00000001 00000000 00 00"
    )
    assert frame[18:24] == bytes.fromhex("78bb e3c6a7c2"), "zlib's head names the dictionary"
    text = zlib.decompressobj(zdict=DICTIONARY).decompress(frame[18:])
    assert text == b"\0\0\0\1\0\0\0\nstreamtype\0\0\0\5error"


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_frames_come_out_as_they_went_in_however_the_bytes_arrive(frames: list[Frame], sizes: list[int]) -> None:
    writer, reader = FrameWriter(), FrameReader()
    wire = b"".join(map(writer.write, frames))
    read: list[Frame] = []
    for size in sizes:
        read += reader.read(wire[:size])
        wire = wire[size:]
    read += reader.read(wire)
    assert read == frames


@given(st.binary(max_size=400))
def test_any_bytes_are_frames_or_refused(wire: bytes) -> None:
    with contextlib.suppress(FrameError):
        list(FrameReader().read(wire))


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        ("8002 0006 00 000004 00000007", "SPDY version 2 is not spoken here"),
        ("8003 0006 00 000002 0000", "a frame of type 6 is too short"),
        ("8003 0004 00 000004 00000002", "a SETTINGS frame is of another length than it says"),
        ("8003 0001 00 00000c 00000001 00000000 0000 abcd", "the header block can not be inflated"),
    ],
)
def test_broken_frame_is_refused(wire: str, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        list(FrameReader().read(bytes.fromhex(wire)))


def test_unknown_control_frame_is_skipped() -> None:
    wire = bytes.fromhex("8003 000a 00 000004 00000007 8003 0006 00 000004 00000007")
    assert list(FrameReader().read(wire)) == [Ping(7)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\0\0\0\1", "broken"),
        (b"\0\0\0\1\0\0\0\5ab", "shorter than it says"),
        (b"\0\0\0\0more", "longer than it says"),
        (b"\0\0\0\1\0\0\0\1\xff\0\0\0\0", "broken"),
        (b"\0\0\0\1\0\0\0\1a\0\1\x86\xa0" + b"a" * 100_000, "more than 65536 bytes"),
    ],
)
def test_broken_header_block_is_refused(text: bytes, why: str) -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    with pytest.raises(HeaderError, match=why):
        HeaderReader().read(deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))


def test_header_blocks_of_one_direction_share_their_context() -> None:
    writer, reader = HeaderWriter(), HeaderReader()
    blocks = [writer.write({"port": "80", "requestid": str(number)}) for number in range(20)]
    assert [reader.read(block)["requestid"] for block in blocks] == [str(number) for number in range(20)]
    assert len(blocks[-1]) < len(blocks[0]) / 2
