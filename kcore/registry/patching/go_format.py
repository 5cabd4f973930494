"""Trees as Go's `%v` prints them, which is how some messages show a patch."""

from __future__ import annotations

from kcore.api.schema import JSON

__all__ = ["go_format"]


def go_format(value: JSON) -> str:
    """`{"a": [1, null]}` -> `map[a:[1 <nil>]]`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{go_format(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_format, value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
