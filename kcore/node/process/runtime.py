"""The CRI in front of the shim: what a container is becomes what a tree of processes needs."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import structlog
from anyio.abc import ByteStream, TaskStatus
from anyio.to_thread import run_sync

from kcore.kit.clock import Chance
from kcore.node.cri import ContainerConfig, ContainerInfo, CriError, ImageInfo, Limits, OnExit, SandboxConfig
from kcore.node.process.execution import ShimExecution
from kcore.node.process.images import ImagesFile
from kcore.node.process.relocation import MOUNT_POINT, link_mounts, relocate, relocate_command
from kcore.node.process.shim_client import ShimClient, connect_or_start
from kcore.node.process.usage import Rates, machine_usage, tree_usage
from kcore.node.runtime import ContainerUsage, Execution, NodeUsage

__all__ = ["ProcessRuntime"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

log = structlog.get_logger(__name__)


class _Process(NamedTuple):
    """A container that runs, and how it was started."""

    pid: int
    started_at: float
    command: Mapping[str, Any]
    stdin: bool
    stdin_once: bool
    tty: bool
    moved: Sequence[str]
    """Paths that lead elsewhere, where the container has no file system of its own."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> _Process:
        stdin = (answer["stdin"], answer["stdin_once"])
        return cls(answer["pid"], answer["started_at"], answer["command"], *stdin, answer["tty"], answer["moved"])


class ProcessRuntime:
    """Containers as processes. `folder` is for its socket and what containers write outside their volumes.

    The shim lives on for `linger_seconds` after this ends, for the next kubelet to find what runs; with `stop_at_end`
    an orderly end of this ends all containers too. Without `isolate` they share the machine's files and processes even
    where they need not.
    """

    version = "kcore-process://1.0.0"

    def __init__(
        self,
        folder: Path,
        chance: Chance,
        images: ImagesFile | None = None,
        *,
        linger_seconds: float = 300.0,
        stop_at_end: bool = True,
        isolate: bool = True,
    ) -> None:
        self._folder = folder
        self._chance = chance
        self._images = images or ImagesFile()
        self._linger = linger_seconds
        self._stop_at_end = stop_at_end
        self._shim: ShimClient | None = None
        self._isolated = isolate
        self._on_exit: OnExit = lambda info: None
        self._running: dict[str, _Process] = {}
        self._sessions: dict[str, tuple[anyio.Event, list[int]]] = {}
        self._exits: dict[str, anyio.Event] = {}
        self._codes: dict[str, int] = {}
        self._rates = Rates()

    async def run(self, on_exit: OnExit, *, task_status: TaskStatus[None]) -> None:
        self._on_exit = on_exit
        self._shim = shim = await run_sync(connect_or_start, self._folder, self._linger, self._isolated)
        shim.listen(self._happened)
        try:
            hello = await shim.ask("hello")
            self._isolated = hello["isolated"]
            if not self._isolated:
                log.warning("pods share the machine's files: volumes are links, paths rewritten", why=hello["why"])
            if not hello["cgroups"]:
                log.warning("limits of CPU and memory are not kept: no cgroups can be made here")
            task_status.started()
            await shim.lost.wait()
            raise CriError("the shim has ended, and all containers with it")
        finally:
            with anyio.CancelScope(shield=True):
                await self._end(shim)

    async def containers(self) -> Sequence[ContainerInfo]:
        found = (await self._ask("list"))["containers"]
        for one in found:
            if not one["finished_at"]:
                self._running[one["container"]] = _Process.of(one)
        return [_info(one) for one in found]

    async def run_sandbox(self, config: SandboxConfig) -> str:
        return config.ip

    async def remove_sandbox(self, uid: str) -> None:
        """The containers are all there is to it, and those are gone."""

    async def pull_image(self, image: str, *, use_present: bool) -> ImageInfo:
        return self._images.find(image)

    async def start_container(self, config: ContainerConfig) -> ContainerInfo:
        id_ = f"{self._chance.random.getrandbits(256):064x}"
        layer = self._folder / "layers" / id_
        moved: list[str] = []
        if not self._isolated:
            moved = [mount.container_path for mount in config.mounts]
            await run_sync(link_mounts, config.mounts, layer / "root")
            config = relocate(config, layer / "root")
        spec = {**self._spec(id_, config, layer), "moved": moved}
        answer = await self._ask("start", container=spec, limits=_limits(config.limits))
        if answer["container"] not in self._codes:
            self._running[id_] = _Process.of(answer)
        return _info(answer)

    async def signal_container(self, id: str, signal: int) -> None:
        await self._ask("kill", container=id, signal=signal)

    async def remove_container(self, id: str) -> None:
        await self._ask("remove", container=id)
        self._codes.pop(id, None)
        self._exits.pop(id, None)

    async def limit_container(self, id: str, limits: Limits) -> None:
        await self._ask("limit", container=id, limits=_limits(limits))

    async def exec(self, id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Execution:
        process = self._process(id)
        session = self._chance.uid()
        ended, code = self._sessions[session] = (anyio.Event(), [])
        env = {**process.command["env"], "TERM": "xterm"} if tty else process.command["env"]
        if process.moved:
            command = relocate_command(command, process.moved, Path(env[MOUNT_POINT]))
        wanted = {**process.command, "argv": list(command), "env": env}
        try:
            _, fds = await self._need().ask_for_fds(
                "exec", container=id, session=session, command=wanted, stdin=stdin, tty=tty
            )
        except CriError:
            del self._sessions[session]
            raise

        async def wait() -> int:
            await ended.wait()
            return code[0]

        async def close() -> None:
            self._sessions.pop(session, None)
            if not ended.is_set():
                await self._ask("kill_session", session=session)

        return ShimExecution(fds, stdin=stdin, tty=tty, wait=wait, close=close)

    async def attach(self, id: str, *, stdin: bool) -> Execution:
        process = self._process(id)
        stdin = stdin and process.stdin
        _, fds = await self._need().ask_for_fds("attach", container=id, stdin=stdin)

        async def wait() -> int:
            await self._exits.setdefault(id, anyio.Event()).wait()
            return self._codes.get(id, 0)

        async def end_input() -> None:
            if process.stdin_once:
                await self._ask("close_stdin", container=id)

        async def close() -> None:
            """The container goes on."""

        return ShimExecution(fds, stdin=stdin, tty=process.tty, wait=wait, close=close, end_input=end_input)

    async def dial(self, uid: str, ip: str, port: int) -> ByteStream:
        return await anyio.connect_tcp(ip, port)

    async def stats(self, ids: Sequence[str]) -> Mapping[str, ContainerUsage]:
        found = {id_: self._running[id_] for id_ in ids if id_ in self._running}
        usages = await run_sync(lambda: {id_: tree_usage(pid, since) for id_, (pid, since, *_) in found.items()})
        return {
            id_: usage._replace(cpu_nanocores=self._rates.rate(id_, usage.cpu_nanoseconds, usage.started_at))
            for id_, usage in usages.items()
        }

    async def node_stats(self) -> NodeUsage:
        usage = await run_sync(machine_usage, self._folder)
        return usage._replace(cpu_nanocores=self._rates.rate("", usage.cpu_nanoseconds, usage.booted_at))

    def _happened(self, event: dict[str, Any]) -> None:
        if event["event"] == "session-ended":
            ended, code = self._sessions.get(event["session"], (anyio.Event(), []))
            code.append(event["exit_code"])
            ended.set()
            return
        info = _info(event)
        self._running.pop(info.id, None)
        self._rates.forget(info.id)
        self._codes[info.id] = info.exit_code
        self._exits.setdefault(info.id, anyio.Event()).set()
        self._on_exit(info)

    def _spec(self, id_: str, config: ContainerConfig, layer: Path) -> dict[str, Any]:
        return {
            "id": id_,
            "command": _command(config),
            "layer": str(layer),
            "mounts": [[str(m.host_path), m.container_path, m.read_only] for m in config.mounts],
            "hostname": config.hostname,
            "read_only_root": config.read_only_root,
            "stdin": config.stdin,
            "stdin_once": config.stdin_once,
            "tty": config.tty,
            "log_path": str(config.log_path),
            "cgroup": id_ if config.limitable or config.limits != Limits() else "",
            "labels": dict(config.labels),
        }

    def _process(self, id_: str) -> _Process:
        process = self._running.get(id_)
        if process is None:
            raise CriError("the container does not run")
        return process

    def _need(self) -> ShimClient:
        if self._shim is None:
            raise CriError("the runtime does not run yet")
        return self._shim

    async def _ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return await self._need().ask(verb, **arguments)

    async def _end(self, shim: ShimClient) -> None:
        if self._stop_at_end and not shim.lost.is_set():
            await shim.ask("stop")
            with anyio.move_on_after(10):
                await shim.lost.wait()
            await run_sync(lambda: shutil.rmtree(self._folder / "layers", ignore_errors=True))
        if not shim.lost.is_set():
            shim.close()


def _command(config: ContainerConfig) -> dict[str, Any]:
    """What is executed, with the little environment that every process needs."""
    uid, gid, groups = config.user
    if uid is not None and os.geteuid() not in (0, uid):
        raise CriError(f"cannot run as user {uid}: kcore itself runs as user {os.geteuid()}")
    home, own_group = _account(uid if uid is not None else os.geteuid())
    as_other = uid is not None and uid != os.geteuid()
    return {
        "argv": list(config.command),
        "env": {"PATH": PATH, "HOME": home, "HOSTNAME": config.hostname, **config.env},
        "cwd": config.working_dir or "/",
        "uid": uid,
        "gid": gid if gid is not None else own_group if as_other else None,
        "groups": list(groups) if os.geteuid() == 0 else [],
        "no_new_privileges": config.no_new_privileges,
        "rlimits": {"RLIMIT_CORE": [0, 0]},
    }


def _account(uid: int) -> tuple[str, int]:
    """Home and group of a user of this machine; those of nobody in particular otherwise."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return "/", 0
    return found.pw_dir, found.pw_gid


def _limits(limits: Limits) -> dict[str, int]:
    given = {"cpu_millis": limits.cpu_millis, "memory": limits.memory_bytes}
    return {name: value for name, value in given.items() if value is not None}


def _info(answer: Mapping[str, Any]) -> ContainerInfo:
    return ContainerInfo(
        answer["container"],
        answer["labels"],
        answer["started_at"],
        answer["finished_at"],
        answer["exit_code"],
        "OOMKilled" if answer["oom"] else "",
    )
