"""Schedules of CronJobs: five fields, a descriptor such as `@daily`, or `@every 1h30m`.

Grammar, messages and the search for the next time follow robfig/cron v3, which upstream uses. Of its oddities:
with both day fields restricted a day matches either (`*/n` restricts, `*` and `?` do not); Sunday is 0, never 7;
a time that daylight saving skips does not run that day, and one that it repeats runs once.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kcore.api.duration import DurationError, seconds

__all__ = ["CronError", "Every", "Schedule", "parse_schedule"]


class CronError(ValueError):
    """Text that is no schedule; the message is upstream's."""


class _Bounds(NamedTuple):
    low: int
    high: int
    names: dict[str, int]


def _numbered(names: str, first: int) -> dict[str, int]:
    return {name: i for i, name in enumerate(names.split(), first)}


_FIELDS = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    _Bounds(0, 6, _numbered("sun mon tue wed thu fri sat", 0)),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_YEARS_AHEAD = 5


class Every(NamedTuple):
    """A constant delay, at least a second."""

    seconds: int

    def next(self, after: datetime) -> datetime | None:
        return after.replace(microsecond=0) + timedelta(seconds=self.seconds)


class _Field(NamedTuple):
    values: frozenset[int]
    star: bool


class Schedule(NamedTuple):
    """The minutes at which a schedule runs, in `zone` or, without one, in that of the time asked about."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field
    zone: tzinfo | None = None

    def next(self, after: datetime) -> datetime | None:
        """The first time later than `after` (which knows its zone); None: there is none within five years."""
        zone = self.zone or after.tzinfo or UTC
        local = after.astimezone(zone)
        start = local.replace(second=0, microsecond=0, tzinfo=None) + timedelta(minutes=1)
        for day in self._days(start):
            for hour in sorted(self.hour.values):
                for minute in sorted(self.minute.values):
                    naive = day.replace(hour=hour, minute=minute)
                    found = naive.replace(tzinfo=zone)
                    if found > after and _exists(naive, found):
                        return found.astimezone(after.tzinfo or UTC)
        return None

    def _days(self, start: datetime) -> list[datetime]:
        """Midnights of matching days, from that of `start` on."""
        days = []
        for year in range(start.year, start.year + _YEARS_AHEAD + 1):
            for month in sorted(self.month.values):
                if (year, month) < (start.year, start.month):
                    continue
                for day in range(1, calendar.monthrange(year, month)[1] + 1):
                    midnight = datetime(year, month, day)
                    if midnight.date() >= start.date() and self._day_matches(midnight):
                        days.append(midnight)
                if len(days) > 3:
                    return days
        return days

    def _day_matches(self, day: datetime) -> bool:
        by_date = day.day in self.day.values
        by_weekday = day.isoweekday() % 7 in self.weekday.values
        if self.day.star or self.weekday.star:
            return by_date and by_weekday
        return by_date or by_weekday


def _exists(naive: datetime, local: datetime) -> bool:
    """Whether the clocks show this time at all: daylight saving skips an hour a year."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == naive


@lru_cache(maxsize=1024)
def parse_schedule(text: str) -> Schedule | Every:
    """Raises CronError. A leading `TZ=` or `CRON_TZ=` names the zone."""
    if not text:
        raise CronError("empty spec string")
    zone = None
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, text = text.partition(" ")
        zone = _zone(head.partition("=")[2])
        text = text.strip()
    if text.startswith("@"):
        return _descriptor(text, zone)
    fields = text.split()
    if len(fields) != 5:
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minute, hour, day, month, weekday = (_field(f, b) for f, b in zip(fields, _FIELDS, strict=True))
    return Schedule(minute, hour, day, month, weekday, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CronError(f"provided bad location {name}: unknown time zone {name}") from None


def _descriptor(text: str, zone: ZoneInfo | None) -> Schedule | Every:
    if text in _DESCRIPTORS:
        schedule = parse_schedule(_DESCRIPTORS[text])
        assert isinstance(schedule, Schedule)
        return schedule._replace(zone=zone)
    if text.startswith("@every "):
        return Every(max(1, int(_duration(text, text.removeprefix("@every ")))))
    raise CronError(f"unrecognized descriptor: {text}")


def _duration(text: str, span: str) -> float:
    try:
        return seconds(span)
    except DurationError as error:
        raise CronError(f"failed to parse duration {text}: {error}") from error


def _field(text: str, bounds: _Bounds) -> _Field:
    values: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        chosen, unrestricted = _range(part, bounds)
        values |= chosen
        star = star or unrestricted
    return _Field(frozenset(values), star)


def _range(text: str, bounds: _Bounds) -> tuple[set[int], bool]:
    """`number`, `number-number` or `*`, each with an optional `/step`."""
    span, *steps = text.split("/")
    low_text, *high_text = span.split("-")
    star = False
    if low_text in ("*", "?"):
        low, high, star = bounds.low, bounds.high, True
    else:
        low = _number(low_text, bounds)
        if len(high_text) > 1:
            raise CronError(f"too many hyphens: {text}")
        high = _number(high_text[0], bounds) if high_text else low
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    step = 1
    if steps:
        step = _integer(steps[0])
        if not high_text and not star:  # `5/15` runs from 5 to the end
            high = bounds.high
        star = star and step <= 1
    if low < bounds.low:
        raise CronError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise CronError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise CronError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    return set(range(low, high + 1, step)), star


def _number(text: str, bounds: _Bounds) -> int:
    named = bounds.names.get(text.lower())
    return _integer(text) if named is None else named


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if len(text) > 18:
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    number = int(text)
    if number < 0:
        raise CronError(f"negative number ({number}) not allowed: {text}")
    return number
