"""Dictionaries that keep so much and no more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kcore.kit.recent import keep


def test_oldest_gives_way() -> None:
    known: dict[str, int] = {}
    for number, name in enumerate("abcd"):
        keep(known, name, number, 3)
    assert known == {"b": 1, "c": 2, "d": 3}


def test_threads_do_not_disturb_each_other() -> None:
    known: dict[int, int] = {}

    def fill(start: int) -> None:
        for number in range(start, start + 20_000):
            keep(known, number, number, 2)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(fill, range(0, 80_000, 20_000)))
    assert 1 <= len(known) <= 6
