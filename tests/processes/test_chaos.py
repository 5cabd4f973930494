"""Whatever is killed, in whatever order: no pod is stuck for good, and no process is left behind.

A seed decides what happens: which processes die, when the kubelet dies and comes back, when the API server takes
nothing, which pods are deleted. A few seeds are run always, five hundred by `make soak`.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from kcore.api.core_v1 import ExecAction, Pod, Probe
from kcore.api.errors import NotFound, ServiceUnavailable
from kcore.api.meta_v1 import DeleteOptions
from kcore.client.local import LocalClient
from kcore.node.process.shim.linux import children_of
from kcore.node.process.shim_client import connect_or_start
from tests.processes.conftest import Processes, processes, until, until_async
from tests.processes.test_pods import ended, given, running, shell
from tests.processes.test_shim import running_with

ACTIONS = 10
STAY = "while :; do sleep 0.05; done"
HEALTHY = Probe(exec=ExecAction(command=("true",)), period_seconds=1, timeout_seconds=30)


class Unreliable(LocalClient):
    """The API server as a kubelet meets it: at times it takes nothing."""

    down = False

    async def update(self, obj: Any, *, subresource: str = "") -> Any:
        self._check()
        return await super().update(obj, subresource=subresource)

    async def delete(self, *args: Any, **kwargs: Any) -> None:
        self._check()
        await super().delete(*args, **kwargs)

    def _check(self) -> None:
        if Unreliable.down:
            raise ServiceUnavailable("the server is currently unable to handle the request")


def wanted(number: int, word: str) -> Pod:
    """A pod of one of several sorts, whose processes carry a word to be found by."""
    sorts = (
        given(shell(f"{STAY}; : {word}")),
        given(shell(f"trap 'exit 0' TERM; {STAY}; : {word}", liveness_probe=HEALTHY)),
        given(shell(f"sleep 0.3; exit 0; : {word}"), restart_policy="Never"),
        given(
            shell(f"{STAY}; : {word}"),
            init_containers=(shell(f"{STAY}; : {word}", "side", restart_policy="Always"),),
        ),
    )
    return sorts[number % len(sorts)]


def settled(pod: Pod) -> bool:
    """Whether a pod is where it should be, or waits for a time that comes."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    waits = any(s.state.waiting is not None and s.state.waiting.reason == "CrashLoopBackOff" for s in statuses)
    runs = running(pod) and all(s.state.running is not None or waits for s in statuses)
    return ended(pod) or runs or (waits and bool(statuses))


class Storm:
    """What happens in one run."""

    def __init__(self, seed: int, w: Processes, word: str) -> None:
        self._chance = random.Random(seed)
        self._w = w
        self._word = word
        self._names: list[str] = []
        self._kubelet = AsyncExitStack()

    async def blow(self) -> None:
        await self._start_kubelet()
        try:
            for _ in range(ACTIONS):
                await self._chance.choice(
                    [self._create, self._create, self._kill_process, self._kill_process, self._delete, self._restart]
                )()
                Unreliable.down = self._chance.random() < 0.3
            Unreliable.down = False
            await until_async(self._all_settled)
            for name in list(self._names):
                await self._remove(name, 0 if self._chance.random() < 0.5 else None)
            await until_async(self._all_gone)
            await until(lambda: running_with(self._word) == [])
            await until(lambda: not list(self._w.folder.glob("pods/*")))
        finally:
            Unreliable.down = False
            await self._kubelet.aclose()

    async def _start_kubelet(self) -> None:
        await self._kubelet.enter_async_context(self._w.kubelet(stop_at_end=False))

    async def _restart(self) -> None:
        await self._kubelet.aclose()
        self._kubelet = AsyncExitStack()
        await self._start_kubelet()

    async def _create(self) -> None:
        name = f"pod-{len(self._names)}-{self._chance.randrange(10**6)}"
        await self._w.create(wanted(self._chance.randrange(4), self._word), name)
        self._names.append(name)

    async def _delete(self) -> None:
        if self._names:
            await self._remove(self._chance.choice(self._names), self._chance.choice([None, 0, 1]))

    async def _remove(self, name: str, grace: int | None) -> None:
        try:
            await self._w.client.delete(Pod, name, "default", DeleteOptions(grace_period_seconds=grace))
        except NotFound:
            self._names.remove(name)

    async def _kill_process(self) -> None:
        victims = running_with(self._word)
        if victims:
            try:
                os.kill(self._chance.choice(victims), signal.SIGKILL)
            except ProcessLookupError:
                return

    async def _pods(self) -> Sequence[Pod]:
        return (await self._w.client.list(Pod, "default")).items

    async def _all_settled(self) -> bool:
        return all(settled(pod) or pod.metadata.deletion_timestamp is not None for pod in await self._pods())

    async def _all_gone(self) -> bool:
        return not await self._pods()


async def weather(seed: int, folder: Path) -> None:
    word = f"storm-{os.getpid()}-{seed}"
    async with processes(folder) as w:
        await Storm(seed, replace_client(w), word).blow()
    shim = connect_or_start(folder, 0.0)
    shim.listen(lambda event: None)
    assert (await shim.ask("list"))["containers"] == []
    pid = (await shim.ask("hello"))["pid"]
    assert children_of(pid) == []
    await shim.ask("stop")
    await until(lambda: shim.lost.is_set())


def replace_client(w: Processes) -> Processes:
    """The same world, whose kubelets meet the unreliable server."""
    w.kubelet_client = Unreliable(w.registry)
    return w


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_stuck_or_left_behind(seed: int, folder: Path) -> None:
    await weather(seed, folder)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(500))
async def test_nothing_is_stuck_or_left_behind_ever(seed: int, folder: Path) -> None:
    await weather(1000 + seed, folder)
