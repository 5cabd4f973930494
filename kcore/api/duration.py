"""Durations as Go writes them: `1m30s`, `500ms`."""

from __future__ import annotations

import re

__all__ = ["DurationError", "seconds"]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


class DurationError(ValueError):
    """Text that is no duration; the message is Go's."""


def seconds(text: str) -> float:
    """How long a duration is."""
    rest = text.removeprefix("-").removeprefix("+")
    if rest == "0":
        return 0.0
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise DurationError(f'time: invalid duration "{text}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if text.startswith("-") else total
