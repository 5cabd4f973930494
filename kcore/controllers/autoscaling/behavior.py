"""How fast replicas may come and go: stabilization over recent recommendations, and limits on the rate of change.

Without `spec.behavior` an autoscaler follows the rules that there were before it: down to the highest recommendation of
the last five minutes, up to the double or to four.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kcore.api.autoscaling_v2 import HorizontalPodAutoscalerBehavior, HPAScalingRules

__all__ = ["Bounds", "Memory", "Verdict", "limit", "stabilize"]

DOWNSCALE_WINDOW = 300
"""Seconds to look back before going down, where the autoscaler does not say."""

READY = "ReadyForNewScale", "recommended size matches current size"
DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
WITHIN = "DesiredWithinRange", "the desired count is within the acceptable range"
TOO_FEW = "TooFewReplicas", "the desired replica count is less than the minimum replica count"
TOO_MANY = "TooManyReplicas", "the desired replica count is more than the maximum replica count"
UP_LIMIT = "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"
DOWN_LIMIT = "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"


class Bounds(NamedTuple):
    minimum: int
    maximum: int


class Verdict(NamedTuple):
    """How many replicas, and why in the words of a condition."""

    replicas: int
    reason: str
    message: str


class Change(NamedTuple):
    """So many replicas came (or went) at a time."""

    replicas: int
    at: float


@dataclass(slots=True)
class Memory:
    """What is remembered of one autoscaler between two looks: the process forgets it when it ends."""

    recommendations: list[Change] = field(default_factory=list)
    added: list[Change] = field(default_factory=list)
    removed: list[Change] = field(default_factory=list)

    def note_scaling(self, before: int, after: int, now: float, behavior: HorizontalPodAutoscalerBehavior) -> None:
        """The target was scaled; remembered for as long as a policy looks back."""
        rules, changes = (behavior.scale_up, self.added) if after > before else (behavior.scale_down, self.removed)
        longest = max((policy.period_seconds for policy in rules.policies), default=0) if rules is not None else 0
        changes[:] = [change for change in changes if change.at > now - longest]
        changes.append(Change(abs(after - before), now))

    def note(self, recommended: int, now: float) -> None:
        self.recommendations.append(Change(recommended, now))

    def since(self, start: float) -> list[int]:
        """What was recommended after `start`."""
        return [recommended for recommended, at in self.recommendations if at > start]


def stabilize(
    memory: Memory, behavior: HorizontalPodAutoscalerBehavior | None, current: int, wanted: int, now: float
) -> Verdict:
    """The recommendation that recent ones leave: no lower and no higher than any of them was."""
    up, down = _windows(behavior)
    highest = max([wanted, *memory.since(now - down)])
    if behavior is None:
        chosen = highest
    else:
        lowest = min([wanted, *memory.since(now - up)])
        chosen = min(max(current, lowest), highest)
    memory.recommendations = [r for r in memory.recommendations if r.at > now - max(up, down)]
    memory.note(wanted, now)
    if chosen == wanted:
        return Verdict(chosen, *READY)
    return Verdict(chosen, *(UP_STABILIZED if behavior is not None and wanted >= current else DOWN_STABILIZED))


def _windows(behavior: HorizontalPodAutoscalerBehavior | None) -> tuple[int, int]:
    up = down = None
    if behavior is not None:
        up = behavior.scale_up.stabilization_window_seconds if behavior.scale_up is not None else None
        down = behavior.scale_down.stabilization_window_seconds if behavior.scale_down is not None else None
    return up or 0, DOWNSCALE_WINDOW if down is None else down


def limit(
    memory: Memory,
    behavior: HorizontalPodAutoscalerBehavior | None,
    current: int,
    wanted: int,
    bounds: Bounds,
    now: float,
) -> Verdict:
    """The recommendation within the bounds, and no further from `current` than the policies allow."""
    if behavior is None:
        return _limit_plainly(current, wanted, bounds)
    if wanted > current:
        most = max(current, _most(memory, behavior.scale_up, current, now))
        ceiling, why = (most, UP_LIMIT) if bounds.maximum > most else (bounds.maximum, TOO_MANY)
        if wanted > ceiling:
            return Verdict(ceiling, *why)
    elif wanted < current:
        least = min(current, _least(memory, behavior.scale_down, current, now))
        floor, why = (least, DOWN_LIMIT) if bounds.minimum < least else (bounds.minimum, TOO_FEW)
        if wanted < floor:
            return Verdict(floor, *why)
    return Verdict(wanted, *WITHIN)


def _limit_plainly(current: int, wanted: int, bounds: Bounds) -> Verdict:
    most = max(2 * current, 4)
    ceiling, why = (most, UP_LIMIT) if bounds.maximum > most else (bounds.maximum, TOO_MANY)
    if wanted < bounds.minimum:
        return Verdict(bounds.minimum, *TOO_FEW)
    if wanted > ceiling:
        return Verdict(ceiling, *why)
    return Verdict(wanted, *WITHIN)


def _most(memory: Memory, rules: HPAScalingRules | None, current: int, now: float) -> int:
    """How many replicas the policies allow at the most."""
    assert rules is not None, "defaulting fills what a behavior leaves out"
    if rules.select_policy == "Disabled":
        return current
    allowed = []
    for policy in rules.policies:
        at_start = _at_start(memory, current, policy.period_seconds, now)
        percent = policy.type == "Percent"
        allowed.append(math.ceil(at_start * (100 + policy.value) / 100) if percent else at_start + policy.value)
    return min(allowed) if rules.select_policy == "Min" else max(allowed)


def _least(memory: Memory, rules: HPAScalingRules | None, current: int, now: float) -> int:
    """How many replicas the policies leave at the least."""
    assert rules is not None
    if rules.select_policy == "Disabled":
        return current
    left = []
    for policy in rules.policies:
        at_start = _at_start(memory, current, policy.period_seconds, now)
        percent = policy.type == "Percent"
        left.append(at_start * (100 - policy.value) // 100 if percent else at_start - policy.value)
    return max(left) if rules.select_policy == "Min" else min(left)


def _at_start(memory: Memory, current: int, period: int, now: float) -> int:
    """How many replicas there were when the period began."""
    return current - _since(memory.added, now - period) + _since(memory.removed, now - period)


def _since(changes: Iterable[Change], start: float) -> int:
    return sum(change.replicas for change in changes if change.at > start)
