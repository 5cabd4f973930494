"""Log files of the CRI, narrowed to what was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.node.log_format import log_line, log_lines
from kcore.node.logs import LogFilter, tail_of
from kcore.node.runtime import LogOptions

NOW = 1_700_000_000.0
STAMP = b"2023-11-14T22:13:2"
CHUNK = (
    log_lines(NOW, "stdout", b"one\ntwo\n")
    + log_lines(NOW + 1, "stderr", b"three\n")
    + log_line(NOW + 2, "half ").replace(b" F ", b" P ")
    + log_line(NOW + 2, "whole")
)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (LogOptions(), b"one\ntwo\nthree\nhalf whole\n"),
        (LogOptions(since=NOW + 1), b"three\nhalf whole\n"),
        (LogOptions(since=NOW + 9), b""),
        (LogOptions(stream="Stderr"), b"three\n"),
        (LogOptions(stream="Stdout"), b"one\ntwo\nhalf whole\n"),
        (LogOptions(limit_bytes=5), b"one\nt"),
    ],
)
def test_lines_are_chosen(options: LogOptions, text: bytes) -> None:
    assert LogFilter(options)(CHUNK) == text


def test_times_stand_before_each_line() -> None:
    lines = LogFilter(LogOptions(timestamps=True))(log_lines(NOW, "stdout", b"one\ntwo\n")).splitlines()
    assert lines == [STAMP + b"0.000000000Z one", STAMP + b"0.000000000Z two"]


def test_a_limit_holds_over_several_chunks() -> None:
    narrowed = LogFilter(LogOptions(limit_bytes=6))
    assert [narrowed(log_line(NOW, word)) for word in ("one", "two", "six")] == [b"one\n", b"tw", b""]
    assert narrowed.full


def test_later_chunks_pass_once_the_time_has_come() -> None:
    narrowed = LogFilter(LogOptions(since=NOW + 1))
    assert narrowed(log_line(NOW, "early")) == b""
    assert narrowed(log_line(NOW + 1, "late")) == b"late\n"
    assert narrowed(log_line(NOW + 2, "later")) == b"later\n"


@pytest.mark.parametrize(("count", "left"), [(None, 3), (0, 0), (2, 2), (9, 3)])
def test_tail(count: int | None, left: int) -> None:
    assert tail_of([b"a", b"b", b"c"], count) == [b"a", b"b", b"c"][3 - left :]


@given(st.lists(st.text(max_size=20).map(lambda text: text.replace("\n", "")), max_size=8))
def test_text_of_whole_lines_is_what_was_written(texts: list[str]) -> None:
    chunk = b"".join(log_line(NOW, text, "stderr" if " " in text else "stdout") for text in texts)
    assert LogFilter(LogOptions())(chunk).decode() == "".join(f"{text}\n" for text in texts)


def test_text_that_looks_like_a_tag_is_text() -> None:
    assert LogFilter(LogOptions())(log_line(NOW, "a P b")) == b"a P b\n"
