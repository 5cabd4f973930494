"""Schedules: what robfig/cron understands, and when it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kcore.api.cron import CronError, parse_schedule

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2024-01-01T00:00:30", "2024-01-01T00:01:00"),
        ("* * * * *", "2024-01-01T00:01:00", "2024-01-01T00:02:00"),
        ("*/15 3 * * *", "2024-01-01T03:10:00", "2024-01-01T03:15:00"),
        ("5/20 * * * *", "2024-01-01T00:46:00", "2024-01-01T01:05:00"),
        ("0 0 29 2 *", "2025-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 9 * * mon-fri", "2024-03-01T10:00:00", "2024-03-04T09:00:00"),
        ("0 0 13 * 5", "2024-02-28T00:00:00", "2024-03-01T00:00:00"),
        ("0 0 13 * *", "2024-02-28T00:00:00", "2024-03-13T00:00:00"),
        ("0 0 1 JAN,jul ?", "2024-02-28T00:00:00", "2024-07-01T00:00:00"),
        ("@hourly", "2024-01-01T00:00:00", "2024-01-01T01:00:00"),
        ("@weekly", "2024-01-01T00:00:00", "2024-01-07T00:00:00"),
        ("@every 1h30m", "2024-01-01T00:00:10", "2024-01-01T01:30:10"),
        ("@every 10ms", "2024-01-01T00:00:10", "2024-01-01T00:00:11"),
        ("TZ=Europe/Paris 30 8 * * *", "2024-07-01T00:00:00", "2024-07-01T06:30:00"),
    ],
)
def test_the_next_time_is_the_first_that_matches(schedule: str, after: str, expected: str) -> None:
    assert parse_schedule(schedule).next(utc(after)) == utc(expected)


def test_a_date_that_never_comes_has_no_next_time() -> None:
    assert parse_schedule("0 0 30 2 *").next(utc("2024-01-01T00:00:00")) is None


def test_a_time_that_daylight_saving_skips_does_not_run_that_day() -> None:
    found = parse_schedule("30 2 * * *").next(datetime(2024, 3, 30, 12, tzinfo=PARIS))
    assert found == datetime(2024, 4, 1, 2, 30, tzinfo=PARIS)


def test_a_time_that_daylight_saving_repeats_runs_once() -> None:
    schedule = parse_schedule("30 2 * * *")
    first = schedule.next(datetime(2024, 10, 26, 12, tzinfo=PARIS))
    assert first is not None
    assert first == datetime(2024, 10, 27, 2, 30, tzinfo=PARIS)
    assert schedule.next(first) == datetime(2024, 10, 28, 2, 30, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "empty spec string"),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        (
            f"{'9' * 30} * * * *",
            f'failed to parse int from {"9" * 30}: strconv.Atoi: parsing "{"9" * 30}": value out of range',
        ),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@never", "unrecognized descriptor: @never"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=Mars/Olympus * * * * *", "provided bad location Mars/Olympus: unknown time zone Mars/Olympus"),
    ],
)
def test_what_is_no_schedule_is_said_as_upstream_says_it(schedule: str, message: str) -> None:
    with pytest.raises(CronError) as e:
        parse_schedule(schedule)
    assert str(e.value) == message
