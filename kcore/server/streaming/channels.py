"""The subprotocols that put numbered channels on one WebSocket, and the messages of each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["CHANNEL_PROTOCOLS", "ChannelClosed", "ChannelData", "ChannelProtocol", "decode", "encode", "negotiate"]

_CLOSE = 255
"""In version 5, the number that is no channel: the next byte names the one that its sender has closed."""


class ChannelProtocol(NamedTuple):
    """`version` decides what an outcome looks like (a Status from 4 on) and whether channels can be closed (5)."""

    name: str
    version: int
    base64: bool = False


class ChannelData(NamedTuple):
    channel: int
    data: bytes


class ChannelClosed(NamedTuple):
    channel: int


Message: TypeAlias = ChannelData | ChannelClosed

CHANNEL_PROTOCOLS: Mapping[str, ChannelProtocol] = {
    protocol.name: protocol
    for protocol in (
        ChannelProtocol("v5.channel.k8s.io", 5),
        ChannelProtocol("v4.channel.k8s.io", 4),
        ChannelProtocol("v4.base64.channel.k8s.io", 4, base64=True),
        ChannelProtocol("channel.k8s.io", 1),
        ChannelProtocol("base64.channel.k8s.io", 1, base64=True),
        ChannelProtocol("", 1),
    )
}
"""By what clients ask for; one that asks for nothing speaks the oldest."""


def negotiate(asked: Sequence[str], offered: Sequence[str]) -> str | None:
    """The first protocol of the client's that is offered, too; None: there is none."""
    return next((name for name in asked or ("",) if name in offered), None)


def decode(protocol: ChannelProtocol, message: bytes) -> Message | None:
    """What a client's message says; None where it says nothing that could be understood."""
    if not message:
        return None
    channel, data = message[0], message[1:]
    if channel == _CLOSE and protocol.version >= 5:
        return ChannelClosed(data[0]) if len(data) == 1 else None
    if not protocol.base64:
        return ChannelData(channel, data)
    try:
        return ChannelData(channel - ord("0"), base64.b64decode(data, validate=True))
    except binascii.Error:
        return None


def encode(protocol: ChannelProtocol, channel: int, data: bytes) -> bytes | str:
    """A message for the client: binary, or text for the base64 protocols."""
    if protocol.base64:
        return chr(ord("0") + channel) + base64.b64encode(data).decode()
    return bytes((channel,)) + data
