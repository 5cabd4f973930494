"""How a log file of the CRI is written: `2026-11-28T09:00:00.123456789Z stdout F text`.

`P` instead of `F` marks a piece of a line that goes on in the next one. Time and stream have a fixed width, so that
whole chunks are written, and later filtered, without a look at each line.
"""

from __future__ import annotations

from kcore.api.timestamp import format_micro

__all__ = ["log_line", "log_lines", "log_prefix"]


def log_prefix(now: float, stream: str) -> bytes:
    """What stands before each line that was written at `now`, without the tag."""
    return f"{format_micro(now)[:-1]}000Z {stream} ".encode()


def log_line(now: float, text: str, stream: str = "stdout") -> bytes:
    return log_prefix(now, stream) + b"F " + text.encode() + b"\n"


def log_lines(now: float, stream: str, data: bytes) -> bytes:
    """Whole lines of output as a log file has them."""
    prefix = log_prefix(now, stream) + b"F "
    return prefix + data[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
