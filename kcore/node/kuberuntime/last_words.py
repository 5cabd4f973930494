"""The termination message of a container: what it left in its file, or the end of its log."""

from __future__ import annotations

from pathlib import Path

from kcore.node.logs import LogFilter
from kcore.node.runtime import LogOptions

__all__ = ["last_words"]

MOST_BYTES = 4096
MOST_LOG_BYTES, MOST_LOG_LINES = 2048, 80
FALLBACK = "FallbackToLogsOnError"


def last_words(file: Path, log_path: Path, policy: str, exit_code: int) -> str:
    """Blocks."""
    words = _end_of(file, MOST_BYTES)
    if not words and policy == FALLBACK and exit_code:
        lines = _end_of(log_path, 1 << 20).splitlines(keepends=True)[-MOST_LOG_LINES:]
        words = LogFilter(LogOptions())(b"".join(lines))[-MOST_LOG_BYTES:]
    return words.decode(errors="replace")


def _end_of(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read(size)
    except OSError:
        return b""
