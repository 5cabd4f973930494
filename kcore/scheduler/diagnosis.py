"""How a failed cycle is told: upstream's wording, which tools and people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kcore.scheduler.framework import Diagnosis, Status

__all__ = ["NO_NODES", "fit_error"]

NO_NODES = "no nodes available to schedule pods"


def fit_error(node_count: int, diagnosis: Diagnosis, post_filter: str = "") -> str:
    """`0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.` and what PostFilter adds to that."""
    message = f"0/{node_count} nodes are available:"
    if diagnosis.pre_filter:
        message += f" {diagnosis.pre_filter}."
    elif diagnosis.statuses:
        message += f" {', '.join(_counted(diagnosis.statuses.values()))}."
    return f"{message} {post_filter}" if post_filter else message


def _counted(statuses: Iterable[Status]) -> list[str]:
    counts = Counter(reason for status in statuses for reason in status.reasons)
    return sorted(f"{count} {reason}" for reason, count in counts.items())
