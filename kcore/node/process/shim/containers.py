"""Containers and commands inside them, from the shim's side: started, written to, listened to, killed, reaped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import struct
import termios
import time
from typing import Any, NoReturn

from kcore.node.process.shim import linux
from kcore.node.process.shim.cgroups import Cgroup
from kcore.node.process.shim.init import CANNOT_START, Streams, become_init, execute
from kcore.node.process.shim.output import LogFile, Output
from kcore.node.process.shim.spec import Command, Container

__all__ = ["Attempt", "Session", "close_all"]

_NAMESPACES = (("mnt", linux.CLONE_NEWNS), ("uts", linux.CLONE_NEWUTS), ("ipc", linux.CLONE_NEWIPC))


def close_all(*fds: int | None) -> None:
    for fd in {fd for fd in fds if fd is not None}:
        with contextlib.suppress(OSError):
            os.close(fd)


class Pipes:
    """The streams of something that is started: `inner` for it, the other ends for us."""

    def __init__(self, *, stdin: bool, tty: bool) -> None:
        self.terminal: int | None = None
        self.stdin: int | None = None
        self.stderr: int | None = None
        if tty:
            self.terminal, inside = os.openpty()
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            self.inner: Streams = (inside, inside, inside)
            self.stdout = os.dup(self.terminal)
            self.stdin = os.dup(self.terminal) if stdin else None
            return
        if stdin:
            read_in, self.stdin = os.pipe()
        else:
            read_in = os.open(os.devnull, os.O_RDONLY)
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        self.inner = (read_in, out, err)


class Attempt:
    """One container, from its start on; kept when it has ended, until it is removed."""

    def __init__(self, container: Container, *, isolated: bool) -> None:
        self.container = container
        self.started_at = time.time()
        self.finished_at = 0.0
        self.exit_code = 0
        self.oom = False
        self.pid = 0
        self._isolated = isolated
        self._command = container.command._asdict()
        self._cgroup = Cgroup(container.cgroup) if container.cgroup else None
        self._log = LogFile(container.log_path, container.log_max_bytes, container.log_max_files)
        self._pipes = pipes = Pipes(stdin=container.stdin, tty=container.tty)
        self.outputs = [Output(pipes.stdout, "stdout", self._log)]
        if pipes.stderr is not None:
            self.outputs.append(Output(pipes.stderr, "stderr", self._log))

    @property
    def running(self) -> bool:
        return not self.finished_at

    def start(self) -> int:
        """Fork the container's init. Gives a pipe that says what went wrong, or ends when nothing did."""
        report, write_report = os.pipe()
        inner = self._pipes.inner
        with linux.new_pid_namespace() if self._isolated else contextlib.nullcontext():
            self.pid = os.fork()
            if self.pid == 0:
                if self._cgroup is not None:
                    self._cgroup.enter()
                become_init(self.container, inner, write_report, isolated=self._isolated)
        close_all(*inner, write_report)
        return report

    def limit(self, limits: dict[str, int]) -> None:
        if self._cgroup is not None:
            self._cgroup.limit(limits)

    def kill(self, number: int) -> None:
        """Signal the container: its init passes on what may be caught, and takes all with it where it is killed."""
        if not self.running:
            return
        if number == signal.SIGKILL and not self._isolated:
            _kill_tree(self.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def attach(self, *, stdin: bool) -> list[int]:
        """Descriptors for somebody else: output, errors (without a terminal), input if wanted, terminal."""
        fds = [output.listen() for output in self.outputs]
        if self._pipes.stdin is not None and stdin:
            fds.append(os.dup(self._pipes.stdin))
        if self._pipes.terminal is not None:
            fds.append(os.dup(self._pipes.terminal))
        return fds

    def close_stdin(self) -> None:
        """Nobody writes to the container any more (`stdinOnce`)."""
        close_all(self._pipes.stdin)
        self._pipes.stdin = None

    def ended(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.exit_code = 128 - code if code < 0 else code
        self.finished_at = time.time()
        for output in self.outputs:
            output.drain()
            output.close()
        self._log.close()
        close_all(self._pipes.stdin, self._pipes.terminal)
        if self._cgroup is not None:
            self.oom = self.exit_code == 128 + signal.SIGKILL and self._cgroup.out_of_memory()
            self._cgroup.remove()

    def remove(self) -> None:
        """Remove what it has written outside its volumes."""
        if self.container.layer:
            shutil.rmtree(self.container.layer, ignore_errors=True)

    def describe(self) -> dict[str, Any]:
        return {
            "container": self.container.id,
            "pid": self.pid,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "exit_code": self.exit_code,
            "oom": self.oom,
            "command": self._command,
            "stdin": self.container.stdin,
            "stdin_once": self.container.stdin_once,
            "tty": self.container.tty,
            "moved": list(self.container.moved),
            "labels": dict(self.container.labels),
        }


class Session:
    """A command inside a container."""

    def __init__(self, attempt: Attempt, command: Command, *, stdin: bool, tty: bool, isolated: bool) -> None:
        self._attempt = attempt
        self._command = command
        self._tty = tty
        self._isolated = isolated
        self._pipes = Pipes(stdin=stdin, tty=tty)
        self.pid = 0

    def start(self) -> tuple[int, list[int]]:
        """Fork it. Gives a report as `Attempt.start` does, and the descriptors that are for the caller."""
        report, write_report = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(write_report)
        pipes = self._pipes
        close_all(*pipes.inner, write_report)
        given = (pipes.stdout, pipes.stderr, pipes.stdin, pipes.terminal)
        return report, [fd for fd in given if fd is not None]

    def kill(self) -> None:
        _kill_tree(self.pid)

    def _become(self, report: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            linux.die_with_parent(signal.SIGKILL)
            if not self._isolated:
                execute(self._command, self._pipes.inner, report, tty=self._tty)
            self._enter_namespaces()
            pid = os.fork()
            if pid == 0:
                execute(self._command, self._pipes.inner, report, tty=self._tty)
            os.closerange(0, 20000)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os._exit(128 - code if code < 0 else code)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(report, str(error).encode())
            os._exit(CANNOT_START)

    def _enter_namespaces(self) -> None:
        init = self._attempt.pid
        fds = [(os.open(f"/proc/{init}/ns/{name}", os.O_RDONLY), kind) for name, kind in _NAMESPACES]
        fds.append((os.open(f"/proc/{init}/ns/pid", os.O_RDONLY), linux.CLONE_NEWPID))
        for fd, kind in fds:
            linux.setns(fd, kind)


def _kill_tree(pid: int) -> None:
    """Kill a process and all below it, children first stopped so that none escapes by forking."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    for child in linux.children_of(pid):
        _kill_tree(child)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
