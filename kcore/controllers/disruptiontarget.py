"""Takes back what was said of pods that were to be disrupted and then were not.

Whoever disrupts a pod says so first in its condition `DisruptionTarget`, and deletes it next (KEP-3329). If it dies in
between, the pod lives on, and the condition would be a lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodCondition
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds, parse
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.controllers.pods import condition, is_active

__all__ = ["StaleDisruptionController"]

CONDITION = "DisruptionTarget"
STALE = 120.0


class StaleDisruptionController(Controller):
    """Upstream does it within its disruption controller."""

    name = "stale-disruption-controller"
    root = Pod
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._pods = context.informers.of(Pod)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: _announced}

    async def reconcile(self, key: str) -> Result | None:
        pod = self._pods.get(key)
        announced = _announcement(pod) if pod is not None else None
        if pod is None or announced is None:
            return None
        now = self._clock.now()
        since = parse(announced.last_transition_time) if announced.last_transition_time else now
        if since + STALE > now:
            return Result(since + STALE - now)
        taken_back = PodCondition(type=CONDITION, status="False", last_transition_time=format_seconds(now))
        conditions = tuple(taken_back if c is announced else c for c in pod.status.conditions)
        await self._client.update(replace(pod, status=replace(pod.status, conditions=conditions)), subresource="status")
        return None


def _announcement(pod: Pod) -> PodCondition | None:
    """What says that a pod is to be disrupted which nobody has deleted."""
    if not pod.status.conditions or not is_active(pod):
        return None
    found = condition(pod, CONDITION)
    return found if found is not None and found.status == "True" else None


def _announced(old: Pod | None, new: Pod | None) -> Iterator[str]:
    if new is not None and _announcement(new) is not None:
        yield key_of(new)
