"""Durations and timestamps as text, and the parts of them that expressions ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from kcore.cel.arithmetic import checked_duration, checked_timestamp
from kcore.cel.errors import EvaluationError
from kcore.cel.values import Duration, Timestamp

__all__ = [
    "DURATION_PARTS",
    "TIMESTAMP_PARTS",
    "format_duration",
    "format_timestamp",
    "parse_date",
    "parse_duration",
    "parse_timestamp",
]

_SECOND = 10**9
_UNITS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND,
}  # fmt: skip
_PART = re.compile(r"(\d{0,40})(?:\.(\d{0,40}))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d{1,40}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> Duration:
    """What Go's time.ParseDuration takes: `1h2m3.5s`. Raises EvaluationError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return Duration(0)
    nanos, at = 0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None or not (match[1] or match[2]):
            raise EvaluationError(f'time: invalid duration "{text}"')
        unit = _UNITS[match[3]]
        nanos += int(match[1] or 0) * unit
        if match[2]:
            nanos += int(match[2]) * unit // 10 ** len(match[2])
        at = match.end()
    if not rest:
        raise EvaluationError(f'time: invalid duration "{text}"')
    return checked_duration(sign * nanos)


def format_duration(value: Duration) -> str:
    """Seconds, as `string(duration)` has them."""
    whole, rest = divmod(abs(value.nanos), _SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if value.nanos < 0 else ''}{whole}{fraction}s"


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339. Raises EvaluationError."""
    match = _STAMP.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        zone = match[4].upper()
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        raise EvaluationError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}"') from None
    return checked_timestamp(_seconds(moment) * _SECOND + int((match[3] or "0")[:9].ljust(9, "0")))


def parse_date(text: str) -> Timestamp:
    return parse_timestamp(f"{text}T00:00:00Z")


def _seconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return since.days * 86400 + since.seconds


def format_timestamp(value: Timestamp) -> str:
    seconds, rest = divmod(value.nanos, _SECOND)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return moment + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def _zone(name: str) -> tzinfo:
    match = _OFFSET.fullmatch(name)
    if match is not None:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise EvaluationError(f"unknown time zone {name}") from None


def _part(read: Callable[[datetime], int]) -> Callable[..., int]:
    def get(value: Timestamp, zone: str = "") -> int:
        moment = _EPOCH + timedelta(seconds=value.nanos // _SECOND)
        place = _zone(zone) if zone else None
        try:
            return read(moment.astimezone(place) if place is not None else moment)
        except (OverflowError, ValueError):
            raise EvaluationError("timestamp overflow") from None

    return get


def _milliseconds(value: Timestamp, zone: str = "") -> int:
    return value.nanos % _SECOND // 10**6


TIMESTAMP_PARTS: dict[str, Callable[..., int]] = {
    "getFullYear": _part(lambda at: at.year),
    "getMonth": _part(lambda at: at.month - 1),
    "getDate": _part(lambda at: at.day),
    "getDayOfMonth": _part(lambda at: at.day - 1),
    "getDayOfWeek": _part(lambda at: at.isoweekday() % 7),
    "getDayOfYear": _part(lambda at: at.timetuple().tm_yday - 1),
    "getHours": _part(lambda at: at.hour),
    "getMinutes": _part(lambda at: at.minute),
    "getSeconds": _part(lambda at: at.second),
    "getMilliseconds": _milliseconds,
}


def _count(unit: int) -> Callable[[Duration], int]:
    def get(value: Duration) -> int:
        count = abs(value.nanos) // unit
        return -count if value.nanos < 0 else count

    return get


DURATION_PARTS: dict[str, Callable[[Any], int]] = {
    "getHours": _count(3600 * _SECOND),
    "getMinutes": _count(60 * _SECOND),
    "getSeconds": _count(_SECOND),
    "getMilliseconds": _count(10**6),
}
