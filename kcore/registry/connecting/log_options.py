"""What of a container's log is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcore.api.field import FieldError, Path, forbidden, invalid

__all__ = ["PodLogOptions", "log_option_errors"]


class PodLogOptions(NamedTuple):
    """Upstream's options of that name. `since_time` is in seconds since the epoch."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    since_seconds: int | None = None
    since_time: float | None = None
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    stream: str | None = None


def log_option_errors(options: PodLogOptions) -> Iterator[FieldError]:
    if options.tail_lines is not None and options.tail_lines < 0:
        yield invalid(Path("tailLines"), options.tail_lines, "must be greater than or equal to 0")
    if options.limit_bytes is not None and options.limit_bytes < 1:
        yield invalid(Path("limitBytes"), options.limit_bytes, "must be greater than 0")
    if options.since_seconds is not None and options.since_time is not None:
        # The path is empty, which upstream prints so.
        yield forbidden(Path("[]"), "at most one of `sinceTime` or `sinceSeconds` may be specified")
    elif options.since_seconds is not None and options.since_seconds < 1:
        yield invalid(Path("sinceSeconds"), options.since_seconds, "must be greater than 0")
    if options.stream is not None:  # PodLogsQuerySplitStreams is off by default in 1.36
        yield forbidden(Path("stream"), "may not be specified")
