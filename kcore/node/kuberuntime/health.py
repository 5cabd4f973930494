"""Probes and hooks: what is asked of a running container, and what comes of the answers."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from kcore.api.core_v1 import LifecycleHandler, Probe
from kcore.node.cri import CriError, RuntimeService
from kcore.node.kuberuntime.local_pod import LocalPod
from kcore.node.kuberuntime.probes import Outcome, Prober, has_probes
from kcore.node.kuberuntime.questions import Questioner
from kcore.node.kuberuntime.table import PodTable
from kcore.node.runtime import AnyContainer, ContainerRecord, Health

__all__ = ["Examiner"]

MOST_OUTPUT = 10 * 1024


class Examiner:
    """Asks containers, over the network and by commands inside them."""

    def __init__(self, table: PodTable, service: RuntimeService) -> None:
        self._table = table
        self._service = service
        self._questioner = Questioner()

    async def aclose(self) -> None:
        await self._questioner.aclose()

    def watch(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> None:
        if not has_probes(container) or not record.running:
            return

        async def ask(probe: Probe) -> Outcome:
            return await self._ask(local, container, probe)

        def on_health(health: Health) -> None:
            current = local.state.containers[container.name]
            if current.id == record.id and current.running:
                self._table.update(local, current, health=health)

        def on_answer(kind: str, outcome: Outcome) -> None:
            local.probed[container.name, kind, outcome.good] += 1
            if not outcome.good:
                words = f"{kind.capitalize()} probe failed: {outcome.output}"
                self._table.tell(local, "Warning", "Unhealthy", words, container)

        prober = Prober(container, ask, on_health, on_answer)
        age = self._table.clock.now() - record.started_at

        async def run() -> None:
            with local.probing(container.name):
                await prober.run(age)

        self._table.spawn(run)

    async def _ask(self, local: LocalPod, container: AnyContainer, probe: Probe) -> Outcome:
        seconds = probe.timeout_seconds or 1
        with anyio.move_on_after(seconds):
            try:
                if probe.exec is not None:
                    return await self._run_command(local, container, probe.exec.command)
                if probe.http_get is not None:
                    return await self._questioner.http_get(container, self._ip(local), probe.http_get)
                if probe.tcp_socket is not None:
                    return await self._questioner.tcp_socket(container, self._ip(local), probe.tcp_socket)
                if probe.grpc is not None:
                    return await self._questioner.grpc(self._ip(local), probe.grpc)
                return Outcome(True)
            except (CriError, LookupError) as error:
                return Outcome(False, str(error))
        if probe.exec is not None:
            words = " ".join(probe.exec.command)
            return Outcome(False, f'command timed out: "{words}" timed out after {seconds}s')
        return Outcome(False, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

    async def run_hook(self, local: LocalPod, container: AnyContainer, hook: LifecycleHandler) -> Outcome:
        try:
            if hook.exec is not None:
                return await self._run_command(local, container, hook.exec.command)
            if hook.http_get is not None:
                return await self._questioner.http_get(container, self._ip(local), hook.http_get)
            if hook.sleep is not None:
                await anyio.sleep(hook.sleep.seconds)
        except (CriError, LookupError) as error:
            return Outcome(False, str(error))
        return Outcome(True)

    async def _run_command(self, local: LocalPod, container: AnyContainer, command: Sequence[str]) -> Outcome:
        execution = await self._service.exec(local.ids[container.name], command, stdin=False, tty=False)
        output = b""
        try:
            async for chunk in execution.stdout:
                output = (output + chunk)[:MOST_OUTPUT]
            if execution.stderr is not None:
                async for chunk in execution.stderr:
                    output = (output + chunk)[:MOST_OUTPUT]
            code = await execution.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await execution.aclose()
        return Outcome(code == 0, output.decode(errors="replace"))

    def _ip(self, local: LocalPod) -> str:
        return local.state.sandbox.ip if local.state.sandbox is not None else ""
