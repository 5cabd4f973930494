"""What decodes without a second look is exactly what is already canonical."""

import re
from datetime import date, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api import quantity, timestamp
from kcore.api.schema import Base64, MicroTime, Quantity, Time


def accepts(scalar: Any, text: str) -> bool:
    pattern = get_args(scalar)[1].pattern
    return re.search(pattern, text) is not None


@given(
    st.one_of(
        st.builds(
            "{}{}".format, st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "Ti", "Ei"])
        ),
        st.builds("{}{}".format, st.integers(1, 20000), st.sampled_from(["Ki", "Mi", "Gi", "Ti", "Pi", "E", "e3"])),
        st.text("0123456789.kKmMi+-", max_size=6),
    )
)
def test_quantity_that_passes_is_canonical(text: str) -> None:
    if accepts(Quantity, text):
        assert quantity.canonical(text) == text


@pytest.mark.parametrize("text", ["0", "1", "250m", "1Gi", "1536Mi", "65843237Ki", "8589934592", "110"])
def test_usual_quantity_passes(text: str) -> None:
    assert accepts(Quantity, text)


@pytest.mark.parametrize("text", ["1024Mi", "2048Ki", "1000m", "0.5", "5\n", "16Ei", "+1", "07"])
def test_other_quantity_needs_a_look(text: str) -> None:
    assert not accepts(Quantity, text)


def test_every_day_of_a_leap_year_passes_and_no_other() -> None:
    days = {(date(2024, 1, 1) + timedelta(days=i)).isoformat() for i in range(366)}
    for month in range(14):
        for day in range(33):
            text = f"2024-{month:02}-{day:02}"
            assert accepts(Time, f"{text}T00:00:00Z") == (text in days)


@given(st.text("0123456789-:TZ.", max_size=22) | st.builds("{:04}-02-29T00:00:00Z".format, st.integers(0, 9999)))
def test_time_that_passes_is_canonical(text: str) -> None:
    if accepts(Time, text):
        assert timestamp.normalize_time(text) == text
    if accepts(MicroTime, text):
        assert timestamp.normalize_micro_time(text) == text


@given(st.binary(max_size=20))
def test_base64_as_written_passes(data: bytes) -> None:
    encoded = msgspec.json.encode(data).decode().strip('"')
    assert accepts(Base64, encoded)
    assert not accepts(Base64, encoded + "\n")


@pytest.mark.parametrize("text", ["YR==", "Y", "YQ=", "YWJ", "YW\nJj", "-_=="])
def test_base64_that_go_would_write_otherwise_needs_a_look(text: str) -> None:
    assert not accepts(Base64, text)
