"""What a fake container uses: what it requests, or a curve through the points that an annotation gives.

`0=100m,60=2,120=500m` means 100m at the start, 2 after a minute, 500m after two and from then on, with straight lines
between; a single quantity is a level. CPU is integrated, so that counters grow as a real one's would.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kcore.api.core_v1 import Pod
from kcore.api.quantity import QuantityError, int_value, milli_value
from kcore.node.fake.script import text_of
from kcore.node.runtime import AnyContainer, ContainerRecord, ContainerUsage

__all__ = ["usage_of"]

Curve = Sequence[tuple[float, float]]


def usage_of(pod: Pod, container: AnyContainer, record: ContainerRecord, now: float) -> ContainerUsage:
    """What a running container uses at `now`."""
    requests, age = container.resources.requests, max(0.0, now - record.started_at)
    cpu = _curve(text_of(pod, container.name, "cpu") or requests.get("cpu", "0"), milli=True)
    memory = _curve(text_of(pod, container.name, "memory") or requests.get("memory", "0"), milli=False)
    used = int(_at(memory, age))
    return ContainerUsage(
        cpu_nanocores=int(_at(cpu, age) * 1e6),
        memory_bytes=used,
        cpu_nanoseconds=int(_integral(cpu, age) * 1e6),
        resident_bytes=used,
        started_at=record.started_at,
    )


def _curve(text: str, *, milli: bool) -> Curve:
    """The points of a curve; a level at 0 where the text is none."""
    read = milli_value if milli else int_value
    try:
        if "=" not in text:
            return [(0.0, read(text))]
        points = [point.partition("=") for point in text.split(",")]
        return sorted((float(at), float(read(value.strip()))) for at, _, value in points)
    except (QuantityError, ValueError):
        return [(0.0, 0.0)]


def _at(curve: Curve, age: float) -> float:
    for (left, low), (right, high) in pairwise(curve):
        if age < right:
            return low + (high - low) * max(0.0, age - left) / (right - left)
    return curve[-1][1]


def _integral(curve: Curve, age: float) -> float:
    total, before, level = 0.0, 0.0, _at(curve, 0.0)
    for at in (*(point for point, _ in curve if 0 < point < age), age):
        total += (at - before) * (level + _at(curve, at)) / 2
        before, level = at, _at(curve, at)
    return total
