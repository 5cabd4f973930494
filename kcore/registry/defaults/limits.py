"""Defaults of LimitRanges."""

from __future__ import annotations

from kcore.api.core_v1 import LimitRange
from kcore.api.schema import fill

__all__ = ["default_limit_range"]


def default_limit_range(limits: LimitRange) -> None:
    """What a container gets by default is the most it may have; what it asks for by default is what it gets."""
    for item in limits.spec.limits or ():
        if item.type != "Container":
            continue
        default = {**item.max, **item.default}
        fill(item, default=default, default_request={**item.min, **default, **item.default_request})
