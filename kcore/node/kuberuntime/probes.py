"""Probes: how often a container is asked, what its answers come to, and what that makes of its health.

    startup    nothing else is asked before it has succeeded; when it fails, the container is to end
    liveness   counts as good until it fails; when it fails, the container is to end
    readiness  counts as bad until it succeeds

`judge` is the whole arithmetic of thresholds; `Prober` asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

import anyio

from kcore.api.core_v1 import Probe
from kcore.node.runtime import HEALTHY, AnyContainer, Health

__all__ = ["Ask", "Outcome", "Prober", "Verdict", "has_probes", "initial_health", "judge"]

Kind = Literal["startup", "liveness", "readiness"]


class Outcome(NamedTuple):
    """The answer to one question."""

    good: bool
    output: str = ""


class Verdict(NamedTuple):
    """What the answers so far come to. None: nothing yet. `streak` counts equal answers in a row."""

    good: bool | None
    last: bool | None = None
    streak: int = 0


Ask = Callable[[Probe], Awaitable[Outcome]]
"""Puts a probe's question to its container, within its time limit."""

OnHealth = Callable[[Health], None]
OnAnswer = Callable[[Kind, Outcome], None]


def judge(verdict: Verdict, good: bool, probe: Probe) -> Verdict:
    """The verdict after one more answer."""
    streak = verdict.streak + 1 if verdict.last is good else 1
    needed = (probe.success_threshold if good else probe.failure_threshold) or 1
    return Verdict(good if streak >= needed else verdict.good, good, streak)


def has_probes(container: AnyContainer) -> bool:
    return any((container.startup_probe, container.liveness_probe, container.readiness_probe))


def initial_health(container: AnyContainer) -> Health:
    """The health of a container that has just been started."""
    started = container.startup_probe is None
    return HEALTHY._replace(started=started, ready=started and container.readiness_probe is None)


class Prober:
    """Asks one container for as long as it runs, and tells what becomes of its health."""

    def __init__(self, container: AnyContainer, ask: Ask, on_health: OnHealth, on_answer: OnAnswer) -> None:
        self._container = container
        self._ask = ask
        self._on_health = on_health
        self._on_answer = on_answer
        self._health = initial_health(container)

    async def run(self, age: float = 0.0) -> None:
        """Until cancelled, or until the container is to end. `age`: how long it has been running."""
        container = self._container
        if container.startup_probe is not None:
            if not await self._follow("startup", container.startup_probe, age):
                return
            self._turn(self._health._replace(started=True, ready=container.readiness_probe is None))
            age = float("inf")
        async with anyio.create_task_group() as tasks:
            if container.readiness_probe is not None:
                tasks.start_soon(self._follow, "readiness", container.readiness_probe, age)
            if container.liveness_probe is not None:
                tasks.start_soon(self._follow, "liveness", container.liveness_probe, age)

    async def _follow(self, kind: Kind, probe: Probe, age: float) -> bool:
        """Ask until there is a verdict for good. Gives that of a startup probe."""
        verdict = Verdict(True if kind == "liveness" else None)
        await anyio.sleep(max(0.0, probe.initial_delay_seconds - age))
        while True:
            outcome = await self._ask(probe)
            self._on_answer(kind, outcome)
            verdict = judge(verdict, outcome.good, probe)
            if kind == "readiness":
                self._turn(self._health._replace(ready=bool(verdict.good)))
            elif verdict.good is False:
                self._turn(self._health._replace(live=False, message=self._words(kind)))
                return False
            elif kind == "startup" and verdict.good:
                return True
            await anyio.sleep(probe.period_seconds or 10)

    def _words(self, kind: Kind) -> str:
        return f"Container {self._container.name} failed {kind} probe, will be restarted"

    def _turn(self, health: Health) -> None:
        if health != self._health:
            self._health = health
            self._on_health(health)
