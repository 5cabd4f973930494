"""JSON merge patch (RFC 7386)."""

from __future__ import annotations

from kcore.api.schema import JSON

__all__ = ["merge_patch"]


def merge_patch(target: JSON, patch: JSON) -> JSON:
    """A new tree that shares what the patch leaves alone. Maps that it touches come out sorted, as from Go."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return dict(sorted(result.items()))
