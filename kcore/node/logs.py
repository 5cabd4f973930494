"""What readers ask of a log of the CRI: since when, how much, with times or without."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kcore.node.log_format import log_line, log_prefix
from kcore.node.runtime import LogOptions

__all__ = ["LogFilter", "tail_of"]

_LINE = rb"(?m)^(\S+ )(%s) (?:F ([^\n]*\n)|P ([^\n]*)\n)"
_PARTIAL = b" P "
_PREFIX = len(log_line(0.0, "")) - 1
_STREAMS = {"All": b"stdout|stderr", "Stdout": b"stdout", "Stderr": b"stderr"}


def tail_of(lines: Iterable[bytes], count: int | None) -> list[bytes]:
    """The last `count` lines."""
    kept = list(lines)
    return kept if count is None else kept[len(kept) - min(count, len(kept)) :]


class LogFilter:
    """Turns chunks of a log file, each of whole lines, into what was asked for."""

    def __init__(self, options: LogOptions) -> None:
        self._since = log_prefix(options.since, "")[:30] if options.since is not None else None
        self._left = options.limit_bytes
        streams = _STREAMS[options.stream]
        self._line = re.compile(_LINE % streams)
        self._other = re.compile(rb"(?m)^\S+ (?!%s)[^\n]*\n" % streams) if options.stream != "All" else None
        self._wanted = rb"\1\3\4" if options.timestamps else rb"\3\4"
        self._plain = options.stream == "All" and not options.timestamps

    @property
    def full(self) -> bool:
        """Whether the limit is reached and nothing more will come."""
        return self._left is not None and self._left <= 0

    def __call__(self, chunk: bytes) -> bytes:
        if self._since is not None:
            chunk = self._later(chunk, self._since)
        if self._other is not None:
            chunk = self._other.sub(b"", chunk)
        # Cutting off what has a fixed width is five times as fast as matching it.
        plain = self._plain and _PARTIAL not in chunk
        out = _without_prefixes(chunk) if plain else self._line.sub(self._wanted, chunk)
        if self._left is not None:
            out = out[: self._left]
            self._left -= len(out)
        return out

    def _later(self, chunk: bytes, since: bytes) -> bytes:
        """Without the lines before `since`: times only grow, so all that follows the first later line is wanted."""
        start = 0
        while start < len(chunk):
            if chunk[start : start + 30] >= since:
                self._since = None
                return chunk[start:]
            start = chunk.index(b"\n", start) + 1
        return b""


def _without_prefixes(chunk: bytes) -> bytes:
    """The texts of whole lines, none of which goes on in the next one."""
    return b"\n".join([line[_PREFIX:] for line in chunk.split(b"\n")])
