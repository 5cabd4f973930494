"""Quantities are exact, keep canonical spellings and round up."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api import quantity
from kcore.api.quantity import QuantityError

WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
WRONG_SUFFIX = "unable to parse quantity's suffix"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("00", "0"),
        ("0Gi", "0"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("512Mi", "512Mi"),
        ("2048Ki", "2Mi"),
        ("0.5Ki", "512"),
        ("0.1Gi", "107374182400m"),
        ("12e6", "12e6"),
        ("1e2", "100"),
        ("12E6", "12E6"),
        ("1E", "1E"),
        ("0.0000000001", "1n"),
        ("1u", "1u"),
        ("-5", "-5"),
        ("-1.5", "-1500m"),
        ("16Ei", "9223372036854775807"),
        # The client's spelling stays wherever upstream sees a canonical scale.
        ("1.500", "1.500"),
        ("+5", "+5"),
        ("010", "010"),
    ],
)
def test_quantity_has_upstreams_canonical_form(text: str, canonical: str) -> None:
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", WRONG_FORMAT),
        ("abc", WRONG_FORMAT),
        ("1 Gi", WRONG_FORMAT),
        ("1.2.3", WRONG_FORMAT),
        ("1\n", WRONG_FORMAT),
        ("1KB", WRONG_FORMAT),
        ("5e", WRONG_SUFFIX),
        ("1mi", WRONG_SUFFIX),
        ("1e99999999", WRONG_SUFFIX),
        ("9" * 5000, "unable to parse numeric part of quantity"),
    ],
)
def test_text_that_is_no_quantity_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(QuantityError) as error:
        quantity.parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "units", "millis"),
    [("1m", 1, 1), ("1.5", 2, 1500), ("1Ki", 1024, 1024000), ("1n", 1, 1), ("-1.5", -2, -1500)],
)
def test_values_are_rounded_away_from_zero(text: str, units: int, millis: int) -> None:
    assert (quantity.int_value(text), quantity.milli_value(text)) == (units, millis)


@pytest.mark.parametrize(
    ("a", "b", "total", "difference"),
    [
        ("1Gi", "512Mi", "1536Mi", "512Mi"),
        ("1", "500m", "1500m", "500m"),
        ("0", "1Gi", "1Gi", "-1Gi"),
        ("1Gi", "1Gi", "2Gi", "0"),
        ("1k", "1Ki", "2024", "-24"),
    ],
)
def test_arithmetic_keeps_the_first_suffix_kind(a: str, b: str, total: str, difference: str) -> None:
    assert (quantity.add(a, b), quantity.subtract(a, b)) == (total, difference)


quantities = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**8),
    st.sampled_from(["", ".5", ".25", ".001", ".000"]),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3", "e1"]),
)


@given(quantities)
def test_canonical_form_is_a_fixed_point_of_equal_value(text: str) -> None:
    written = quantity.canonical(text)
    assert quantity.compare(text, written) == 0
    assert quantity.canonical(written) == written


@given(quantities, quantities)
def test_addition_is_exact(a: str, b: str) -> None:
    exact: Fraction = quantity.parse(a).exact + quantity.parse(b).exact
    assert quantity.parse(quantity.add(a, b)).exact == exact


@given(st.text(alphabet="0123456789.+-eEinumkKMGTPx ", max_size=12))
def test_any_text_is_a_quantity_or_a_quantity_error(text: str) -> None:
    with suppress(QuantityError):
        assert quantity.parse(text).text
