"""Runs the iptables tools, here or in another network namespace."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.proxy.backend import BackendFault
from kcore.proxy.iptables.conntrack import stale_flows
from kcore.proxy.iptables.layout import JUMPS, Jump, Settings, filter_base, nat_base
from kcore.proxy.iptables.table import RuleTable
from kcore.proxy.rules import Diff, Rule
from kcore.proxy.serviceport import PortName

__all__ = ["Iptables"]

log = structlog.get_logger(__name__)

TOOLS = {"IPv4": "iptables", "IPv6": "ip6tables"}


class Iptables:
    """The back end, with settings for each IP family that Services have.

    `netns`: a named network namespace (`ip netns add`) instead of this process's own.
    """

    def __init__(self, families: Iterable[Settings], *, netns: str = "", clean_up: bool = False) -> None:
        self._families = [_Family(settings, TOOLS[settings.family], netns) for settings in families]
        self._clean_up = clean_up

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            if self._clean_up:
                with anyio.CancelScope(shield=True):
                    for family in self._families:
                        await family.clean_up()

    async def apply(self, diff: Diff) -> None:
        for family in self._families:
            await family.apply(diff)

    def statistics(self) -> Any:
        return {family.tool: {"restores": family.restores, "failures": family.failures} for family in self._families}


class _Family:
    """One IP family's tables on this machine."""

    def __init__(self, settings: Settings, tool: str, netns: str) -> None:
        self.tool = tool
        self.restores = 0
        self.failures = 0
        self._prefix = ("nsenter", f"--net=/run/netns/{netns}") if netns else ()
        self._table = RuleTable(settings)
        self._rules: dict[PortName, Rule] = {}
        self._settings = settings
        self._whole = True
        """Whether what is in force is unknown: at first, and after a failure."""

    async def apply(self, diff: Diff) -> None:
        text, whole = self._table.update(diff), self._whole
        if whole:
            text = self._table.full(await self._existing_chains())
        if not text:
            return
        self._whole = True
        await self._restore(text)
        if whole:
            for jump in JUMPS:
                await self._ensure(jump)
        self._whole = False
        await self._forget_flows(diff)

    async def _forget_flows(self, diff: Diff) -> None:
        """Where the tool exists; it fails where there is nothing to forget."""
        stale = list(stale_flows(self._rules, diff))
        for name in diff.gone:
            self._rules.pop(name, None)
        own = {name: rule for name, rule in diff.put.items() if name.family == self._settings.family}
        self._rules.update(own)
        if shutil.which("conntrack") is None:
            return
        family = "ipv6" if self._settings.family == "IPv6" else "ipv4"
        for flows in stale:
            with suppress(BackendFault):
                await self._run(("conntrack", "-D", "-f", family, "-p", "udp", *flows.arguments()))

    async def clean_up(self) -> None:
        """Take everything out again that `apply` has put in."""
        for jump in JUMPS:
            await self._succeeds("-t", jump.table, "-D", jump.source, *jump.arguments, "-j", jump.target)
        existing = await self._existing_chains()
        own = [name for name in existing if name.startswith("KUBE-")]
        for table, names in (("nat", [*nat_base(()), *own]), ("filter", [*filter_base((), self._settings)])):
            present = dict.fromkeys(names)
            text = "\n".join((f"*{table}", *(f":{n} - [0:0]" for n in present), *(f"-X {n}" for n in present)))
            try:
                await self._restore(f"{text}\nCOMMIT\n")
            except BackendFault as fault:
                log.warning("iptables_not_cleaned", table=table, reason=str(fault))

    async def _existing_chains(self) -> list[str]:
        said = await self._run((f"{self.tool}-save", "-t", "nat"))
        return [line[1:].split(" ", 1)[0] for line in said.splitlines() if line.startswith(":")]

    async def _ensure(self, jump: Jump) -> None:
        rule = (*jump.arguments, "-j", jump.target)
        if not await self._succeeds("-t", jump.table, "-C", jump.source, *rule):
            await self._run((self.tool, "-w", "5", "-t", jump.table, "-I", jump.source, *rule))

    async def _restore(self, text: str) -> None:
        self.restores += 1
        try:
            await self._run((f"{self.tool}-restore", "-w", "5", "--noflush"), text)
        except BackendFault:
            self.failures += 1
            raise

    async def _succeeds(self, *arguments: str) -> bool:
        try:
            await self._run((self.tool, "-w", "5", *arguments))
        except BackendFault:
            return False
        return True

    async def _run(self, command: Sequence[str], text: str = "") -> str:
        try:
            done = await anyio.run_process([*self._prefix, *command], input=text.encode(), check=False)
        except OSError as error:
            raise BackendFault(f"{command[0]}: {error.strerror or error}") from error
        if done.returncode:
            raise BackendFault(f"{' '.join(command)}: {_last_line(done)}")
        return done.stdout.decode()


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
