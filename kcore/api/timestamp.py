"""Times on the wire: RFC 3339 to the second (`Time`) or to the microsecond (`MicroTime`), always in UTC.

Parsing follows Go's `time.Parse` with the layouts of metav1, wording of its errors included.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = [
    "TimeError",
    "format_micro",
    "format_seconds",
    "normalize_micro_time",
    "normalize_time",
    "parse",
    "seconds_since",
]

_SECONDS = "2006-01-02T15:04:05Z07:00"
_MICROS = "2006-01-02T15:04:05.000000Z07:00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimeError(ValueError):
    """Text that is no time; the message is that of Go's time.ParseError."""


@lru_cache(maxsize=64)
def _format_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


def format_seconds(now: float) -> str:
    """Seconds since the epoch as a `Time`; fractions are dropped."""
    return f"{_format_second(int(now // 1))}Z"


def format_micro(now: float) -> str:
    """Seconds since the epoch as a `MicroTime`."""
    micros = round(now * 1_000_000)
    return f"{_format_second(micros // 1_000_000)}.{micros % 1_000_000:06d}Z"


@lru_cache(maxsize=4096)
def parse(text: str) -> float:
    """Seconds since the epoch of a `Time` or `MicroTime` that the API has accepted."""
    return (datetime.fromisoformat(text) - _EPOCH).total_seconds()


def seconds_since(text: str | None, now: float) -> float:
    """How long ago a time was; 0 for none."""
    return now - parse(text) if text else 0.0


def normalize_time(text: str) -> str | None:
    """A client's time as the API stores it, or None for Go's zero time. Raises TimeError."""
    moment = _parse_go(text, _SECONDS, fraction=False)
    return None if _is_zero(moment) else _iso(moment.replace(microsecond=0)) + "Z"


def normalize_micro_time(text: str) -> str | None:
    """A client's micro time as the API stores it, or None for Go's zero time. Raises TimeError."""
    moment = _parse_go(text, _MICROS, fraction=True)
    return None if _is_zero(moment) else f"{_iso(moment.replace(microsecond=0))}.{moment.microsecond:06d}Z"


def _is_zero(moment: datetime) -> bool:
    return moment == datetime.min.replace(tzinfo=UTC)


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


# One piece of the layout: its name in Go's layouts, the pattern of its text, and its range (None: checked later).
_PIECES: tuple[tuple[str, str, tuple[int, int] | None, str], ...] = (
    ("2006", r"[0-9]{4}", None, "year"),
    ("-", "-", None, ""),
    ("01", r"[0-9]{2}", (1, 12), "month"),
    ("-", "-", None, ""),
    ("02", r"[0-9]{2}", None, "day"),
    ("T", "T", None, ""),
    ("15", r"[0-9]{1,2}", (0, 23), "hour"),
    (":", ":", None, ""),
    ("04", r"[0-9]{2}", (0, 59), "minute"),
    (":", ":", None, ""),
    ("05", r"[0-9]{2}", (0, 59), "second"),
)
_COMPILED = tuple((name, re.compile(pattern), limits, meaning) for name, pattern, limits, meaning in _PIECES)
_FRACTION = re.compile(r"[.,][0-9]+")
_MICRO = re.compile(r"[.,][0-9]{6}")
_ZONE = re.compile(r"Z|([+-])([0-9]{2}):([0-9]{2})")


def _parse_go(text: str, layout: str, *, fraction: bool) -> datetime:
    rest = text
    numbers: dict[str, int] = {}
    for name, pattern, limits, meaning in _COMPILED:
        match = pattern.match(rest)
        if match is None:
            raise _cannot_parse(text, layout, rest, name)
        if meaning:
            number = numbers[meaning] = int(match[0])
            if limits and not limits[0] <= number <= limits[1]:
                raise _out_of_range(text, meaning)
        rest = rest[match.end() :]
    micros = 0
    match = (_MICRO if fraction else _FRACTION).match(rest)
    if match is not None:
        micros = int(match[0][1:7].ljust(6, "0"))
        rest = rest[match.end() :]
    elif fraction:
        raise _cannot_parse(text, layout, rest, ".000000")
    match = _ZONE.match(rest)
    if match is None:
        raise _cannot_parse(text, layout, rest, "Z07:00")
    offset = _offset(text, match)
    if rest[match.end() :]:
        raise TimeError(f"parsing time {_quote(text)}: extra text: {_quote(rest[match.end() :])}")
    year, month, day = numbers["year"], numbers["month"], numbers["day"]
    if not 1 <= day <= monthrange(year or 4, month)[1]:
        raise _out_of_range(text, "day")
    try:
        moment = datetime(year, month, day, numbers["hour"], numbers["minute"], numbers["second"], micros, tzinfo=UTC)
        return moment - offset
    except (ValueError, OverflowError):  # beyond the years that datetime knows
        raise _out_of_range(text, "year") from None


def _offset(text: str, match: re.Match[str]) -> timedelta:
    if match[0] == "Z":
        return timedelta()
    hours, minutes = int(match[2]), int(match[3])
    if hours > 24:
        raise _out_of_range(text, "time zone offset hour")
    if minutes > 60:
        raise _out_of_range(text, "time zone offset minute")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if match[1] == "-" else offset


def _cannot_parse(text: str, layout: str, rest: str, piece: str) -> TimeError:
    return TimeError(f'parsing time {_quote(text)} as "{layout}": cannot parse {_quote(rest)} as "{piece}"')


def _out_of_range(text: str, meaning: str) -> TimeError:
    return TimeError(f"parsing time {_quote(text)}: {meaning} out of range")


def _quote(text: str) -> str:
    """Go's time package escapes quotes, backslashes and everything outside printable ASCII, byte by byte."""
    parts = []
    for char in text:
        if char in '"\\':
            parts.append(f"\\{char}")
        elif " " <= char <= "~":
            parts.append(char)
        else:
            parts += [f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass")]
    return f'"{"".join(parts)}"'
