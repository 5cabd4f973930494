"""The current records of one bucket, in key order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from kcore.store.store import Record

__all__ = ["Index"]


class Index:
    """A dict for finding, and beside it a sorted list of the keys for ranges.

    A plain list: moving its tail for an insertion is one `memmove`, which up to some hundred thousand keys costs
    less than the bookkeeping of a tree. `records` may hold those of other indexes, too: a key belongs to one.
    """

    def __init__(self, records: dict[str, Record] | None = None) -> None:
        self._records: dict[str, Record] = {} if records is None else records
        self._keys: list[str] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        if record.key not in self._records:
            keys = self._keys
            if not keys or record.key > keys[-1]:
                keys.append(record.key)
            else:
                insort(keys, record.key)
        self._records[record.key] = record

    def remove(self, key: str) -> None:
        del self._records[key]
        del self._keys[bisect_left(self._keys, key)]

    def range(
        self, prefix: str, after: str = "", limit: int = 0, past: Mapping[str, Record | None] | None = None
    ) -> tuple[Sequence[Record], int]:
        """The records under `prefix` beyond `after`, `limit` at most (0: all), and how many more there are.

        `past` replaces what stands now, key by key: the index as it was at an older revision.
        """
        low, high = self._span(prefix, after)
        if past:
            return self._past_range(low, high, after, limit, past)
        stop = min(high, low + limit) if limit else high
        return list(map(self._records.__getitem__, self._keys[low:stop])), high - stop

    def _span(self, prefix: str, after: str) -> tuple[int, int]:
        keys = self._keys
        low = bisect_right(keys, after) if after >= prefix else bisect_left(keys, prefix)
        return low, max(low, bisect_left(keys, prefix[:-1] + chr(ord(prefix[-1]) + 1)))

    def _past_range(
        self, low: int, high: int, after: str, limit: int, past: Mapping[str, Record | None]
    ) -> tuple[Sequence[Record], int]:
        records = self._records
        revived = sorted(key for key, record in past.items() if record is not None and key > after)
        hidden = sum(1 for key in past if key in records and key > after)
        keys: Iterable[str] = merge(self._unchanged(low, high, past), revived)
        total = high - low - hidden + len(revived)
        found = [past.get(key) or records[key] for key in islice(keys, limit or None)]
        return found, total - len(found)

    def _unchanged(self, low: int, high: int, past: Mapping[str, Record | None]) -> Iterator[str]:
        return (key for key in islice(self._keys, low, high) if key not in past)
