"""gRPC's health protocol, spoken just well enough to ask `grpc.health.v1.Health/Check` once.

One unary call over a fresh HTTP/2 connection without TLS: our headers are sent as plain HPACK literals, and of the
answer only the DATA frame matters, whose message says the status; an answer without one has failed. So neither a
decompressor of headers nor flow control is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import anyio
from anyio.abc import ByteStream

__all__ = ["serving_status"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


async def serving_status(host: str, port: int, service: str) -> str:
    """What the server says of a service. Raises OSError where it does not answer so."""
    async with await anyio.connect_tcp(host, port) as stream:
        name = service.encode()
        request = b"\x0a" + _varint(len(name)) + name if name else b""
        await stream.send(
            PREFACE
            + _frame(SETTINGS, 0, 0, b"")
            + _frame(HEADERS, END_HEADERS, 1, _headers(f"{host}:{port}"))
            + _frame(DATA, END_STREAM, 1, struct.pack(">BI", 0, len(request)) + request)
        )
        return await _answer(stream)


async def _answer(stream: ByteStream) -> str:
    received = message = b""
    while True:
        try:
            received += await stream.receive()
        except anyio.EndOfStream:
            raise ConnectionResetError("the server closed the connection") from None
        frames, received = _split(received)
        for kind, flags, payload in frames:
            if kind == SETTINGS and not flags & ACK:
                await stream.send(_frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                await stream.send(_frame(PING, ACK, 0, payload))
            elif kind == DATA:
                message += payload
            elif kind in (RST_STREAM, GOAWAY):
                raise ConnectionResetError("the server refused the call")
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return _status(message)


def _status(message: bytes) -> str:
    """Field 1 of a HealthCheckResponse, behind the five bytes that gRPC puts before a message."""
    if len(message) < 5:
        return "UNKNOWN"
    body = message[5:]
    value = body[1] if len(body) >= 2 and body[0] == 0x08 else 0
    return STATUSES[value] if value < len(STATUSES) else "UNKNOWN"


def _split(data: bytes) -> tuple[list[tuple[int, int, bytes]], bytes]:
    """Whole frames, and what is left of the next one."""
    frames = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            break
        frames.append((data[3], data[4], data[9 : 9 + size]))
        data = data[9 + size :]
    return frames, data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _headers(authority: str) -> bytes:
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "kube-probe/1.36"),
    )
    return b"".join(_literals(fields))


def _literals(fields: tuple[tuple[str, str], ...]) -> Iterator[bytes]:
    """Header fields as HPACK literals that are not indexed, with names spelt out. All are shorter than 127 bytes."""
    for name, value in fields:
        yield b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
