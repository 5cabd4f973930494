"""What tables are made of: columns, and how values become cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kcore.api.meta_v1 import LabelSelector
from kcore.api.selectors import SelectorError, selector_from_struct
from kcore.api.timestamp import parse

__all__ = [
    "AGE",
    "NAME",
    "NONE",
    "UNSET",
    "Column",
    "Printer",
    "age",
    "at_most",
    "format_labels",
    "format_selector",
    "human_duration",
    "since",
    "wide",
]

NONE = "<none>"
UNSET = "<unset>"


class Column(NamedTuple):
    """A column; `priority` above 0 is shown by `kubectl get -o wide` only."""

    name: str
    description: str = ""
    type: str = "string"
    format: str = ""
    priority: int = 0


def wide(name: str, description: str = "", type_: str = "string", format_: str = "") -> Column:
    """A column for `-o wide`."""
    return Column(name, description, type_, format_, 1)


NAME = Column("Name", "The name of the object, unique for its kind and namespace.", format="name")
AGE = Column("Age", "How long ago the object was created.")


@dataclass(frozen=True, slots=True)
class Printer:
    """How objects of one kind become rows. `row` gives the cells at a moment (seconds since the epoch)."""

    columns: tuple[Column, ...]
    row: Callable[[Any, float], Sequence[Any]]
    conditions: Callable[[Any], Sequence[Mapping[str, str]]] | None = None
    """What sets a row apart: kubectl leaves out completed ones where asked to."""
    order: Callable[[Any], Any] | None = None
    """By what the rows of a list are sorted, where it is not by name."""


def human_duration(seconds: float) -> str:
    """A length of time in the one or two largest units that matter (apimachinery's duration.HumanDuration)."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    years = days // 365
    return _pair(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _pair(number: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{number}{unit}{rest}{rest_unit}" if rest else f"{number}{unit}"


def since(text: str | None, now: float) -> str:
    """How long ago a time was."""
    return human_duration(now - parse(text)) if text else "<unknown>"


def age(obj: Any, now: float) -> str:
    """How long ago an object was created."""
    return since(obj.metadata.creation_timestamp, now)


def format_labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or NONE


def format_selector(selector: LabelSelector | None) -> str:
    try:
        return str(selector_from_struct(selector)) or NONE
    except SelectorError:
        return "<error>"


def at_most(limit: int, items: Iterable[str], separator: str = ",") -> str:
    """The first few items, and how many more there are."""
    found = list(items)
    text = separator.join(found[:limit])
    return text if len(found) <= limit else f"{text} + {len(found) - limit} more..."
