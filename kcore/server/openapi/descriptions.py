"""What types, fields and parameters are, in a line each: our own words, out of `descriptions.txt` when first asked for.

A line is a name and its description. `Type.field` is about a field of one type; a field alone about that of all others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

__all__ = ["describe_field", "describe_parameter", "describe_type"]

_ENDINGS = (
    ("List", "A list of {} objects."),
    ("Spec", "What is wanted of {}."),
    ("Status", "What is known of {} lately."),
    ("Condition", "One aspect of the state of {}."),
    ("Selector", "What selects {}."),
    ("VolumeSource", "A volume of the sort {}."),
)


@cache
def _words() -> Mapping[str, str]:
    text = (resources.files(__package__) / "descriptions.txt").read_text()
    pairs = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: words.strip() for name, _, words in pairs}


def describe_type(name: str) -> str:
    """Never empty: what has no description of its own is called by its name, taken apart."""
    if words := _words().get(f":{name}"):
        return words
    for ending, told in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return told.format(name.removesuffix(ending))
    return f"{_apart(name)}."


def describe_field(type_name: str, wire: str) -> str:
    words = _words()
    return words.get(f"{type_name}.{wire}") or words.get(wire, "")


def describe_parameter(name: str) -> str:
    words = _words()
    return words.get(f"?{name}") or words.get(name, "")


def _apart(name: str) -> str:
    """`NodeAffinity` -> `Node affinity`."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", name)
    return " ".join(part if i == 0 or part.isupper() else part.lower() for i, part in enumerate(parts))
