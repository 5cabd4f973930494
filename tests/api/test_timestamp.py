"""Times are read as Go reads them and written as metav1 writes them."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api import timestamp
from kcore.api.timestamp import TimeError

LAYOUT = "2006-01-02T15:04:05Z07:00"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
        ("2024-01-01T00:00:00.999999999Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T01:30:00+01:30", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00-02:00", "2024-01-01T02:00:00Z"),
        ("2024-01-01T5:00:00Z", "2024-01-01T05:00:00Z"),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_time_is_normalised_to_utc_seconds(text: str, normal: str | None) -> None:
    assert timestamp.normalize_time(text) == normal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("now", f'parsing time "now" as "{LAYOUT}": cannot parse "now" as "2006"'),
        ("2024-01-01", f'parsing time "2024-01-01" as "{LAYOUT}": cannot parse "" as "T"'),
        ("2024-13-01T00:00:00Z", 'parsing time "2024-13-01T00:00:00Z": month out of range'),
        ("2023-02-29T00:00:00Z", 'parsing time "2023-02-29T00:00:00Z": day out of range'),
        ("2024-01-01T24:00:00Z", 'parsing time "2024-01-01T24:00:00Z": hour out of range'),
        ("2024-01-01T00:00:00", f'parsing time "2024-01-01T00:00:00" as "{LAYOUT}": cannot parse "" as "Z07:00"'),
        ("2024-01-01T00:00:00Zz", 'parsing time "2024-01-01T00:00:00Zz": extra text: "z"'),
    ],
)
def test_text_that_is_no_time_is_refused_in_gos_words(text: str, why: str) -> None:
    with pytest.raises(TimeError) as error:
        timestamp.normalize_time(text)
    assert str(error.value) == why


def test_micro_time_needs_all_six_digits() -> None:
    assert timestamp.normalize_micro_time("2024-01-01T00:00:00.000001+00:00") == "2024-01-01T00:00:00.000001Z"
    with pytest.raises(TimeError, match=r'cannot parse "Z" as ".000000"'):
        timestamp.normalize_micro_time("2024-01-01T00:00:00Z")


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)))
def test_what_is_written_is_read_back(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC).timestamp()
    text = timestamp.format_micro(now)
    assert abs(timestamp.parse(text) - now) < 0.0001
    assert timestamp.normalize_micro_time(text) == text
    assert timestamp.normalize_time(text) == timestamp.format_seconds(timestamp.parse(text))


@given(st.text(alphabet="0123456789-T:Z+.,z ", max_size=30))
def test_any_text_is_a_time_or_a_time_error(text: str) -> None:
    with suppress(TimeError):
        timestamp.normalize_time(text)
