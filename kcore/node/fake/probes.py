"""How many answers the probes of a fake container were given: those its script has for the questions that a kubelet
would have asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from kcore.api.core_v1 import Probe
from kcore.node.fake.script import Script
from kcore.node.runtime import AnyContainer, ContainerRecord

__all__ = ["Answers", "answers_of"]

PERIOD = 10


class Answers(NamedTuple):
    """To one of the probes of a container."""

    kind: str
    good: int
    bad: int


def answers_of(container: AnyContainer, record: ContainerRecord, script: Script, now: float) -> Iterator[Answers]:
    """Up to `now`, for an attempt that runs."""
    age = now - record.started_at
    is_ready = record.health.started and record.health.ready
    ready_at = min(script.ready_seconds or 0.0, age) if is_ready else age
    begin = 0.0
    if (startup := container.startup_probe) is not None:
        yield Answers("startup", int(is_ready), _asked(startup, 0.0, ready_at))
        begin = ready_at  # nothing else is asked before
    if (readiness := container.readiness_probe) is not None:
        yield Answers("readiness", _asked(readiness, ready_at, age), _asked(readiness, begin, ready_at))
    if (liveness := container.liveness_probe) is not None:
        yield Answers("liveness", _asked(liveness, begin, age), 0)


def _asked(probe: Probe, begin: float, end: float) -> int:
    """How often a container is asked from one age on and before another."""
    return _before(probe, end) - _before(probe, begin)


def _before(probe: Probe, age: float) -> int:
    return max(0, math.ceil((age - (probe.initial_delay_seconds or 0)) / (probe.period_seconds or PERIOD)))
