"""The completion indexes of Indexed Jobs: which one a pod has, and sets of them in writing (`1,3-5,7`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kcore.api.core_v1 import Pod

__all__ = ["INDEX", "completion_index", "format_indexes", "parse_indexes"]

INDEX = "batch.kubernetes.io/job-completion-index"
"""The annotation and label that tell a pod's index."""

_interval = re.compile(r"([0-9]+)(?:-([0-9]+))?").fullmatch


def completion_index(pod: Pod, completions: int) -> int | None:
    """The index of a pod; None where it has none below `completions`."""
    text = pod.metadata.annotations.get(INDEX, "")
    if not (text.isascii() and text.isdigit()):
        return None
    index = int(text)
    return index if index < completions else None


def format_indexes(indexes: Iterable[int]) -> str:
    """Two neighbours are written `3,4`, more of them `3-5`."""
    return ",".join(
        str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}"
        for first, last in _runs(sorted(indexes))
    )


def _runs(ordered: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for i in range(1, len(ordered) + 1):
        if i == len(ordered) or ordered[i] != ordered[i - 1] + 1:
            yield ordered[start], ordered[i - 1]
            start = i


def parse_indexes(text: str, completions: int) -> frozenset[int]:
    """What `format_indexes` wrote, without the indexes that a Job with fewer completions has no more."""
    found: set[int] = set()
    for part in text.split(","):
        match = _interval(part)
        if match is not None:
            first, last = int(match[1]), int(match[2] or match[1])
            found.update(range(first, min(last + 1, completions)))
    return frozenset(found)
