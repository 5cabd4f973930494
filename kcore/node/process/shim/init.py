"""The first process of a container: it prepares the place, starts the command, and ends with it.

It passes signals on, reaps orphans, and when the command has ended, ends whatever the command left behind.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
from typing import NoReturn

from kcore.node.process.shim import linux
from kcore.node.process.shim.rootfs import enter_new_root
from kcore.node.process.shim.spec import Command, Container

__all__ = ["CANNOT_START", "Streams", "become_init", "execute"]

CANNOT_START = 128
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

Streams = tuple[int, int, int]
"""What becomes standard input, output and error."""


def become_init(container: Container, streams: Streams, report: int, *, isolated: bool) -> NoReturn:
    """Turn this freshly forked process into a container's init. Says on `report` what went wrong, or nothing."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        linux.die_with_parent(signal.SIGKILL)
        if isolated:
            linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
            if container.hostname:
                linux.set_hostname(container.hostname)
            enter_new_root(container.layer, container.mounts, container.read_only_root)
        else:
            linux.adopt_orphans()
        _close_all_but({*streams, report})
        pid = os.fork()
        if pid == 0:
            execute(container.command, streams, report, tty=container.tty)
        for fd in {*streams, report}:
            os.close(fd)
        os._exit(_supervise(pid))
    except BaseException as error:
        _report(report, error)
        os._exit(CANNOT_START)


def execute(command: Command, streams: Streams, report: int, *, tty: bool) -> NoReturn:
    """Become the command."""
    try:
        os.setsid()
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        if tty:
            _take_terminal()
        _close_all_but({0, 1, 2, report})
        for name, limits in command.rlimits.items():
            resource.setrlimit(getattr(resource, name), (limits[0], limits[1]))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (*_PASSED_ON, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        _change_user(command)
        linux.die_with_parent(signal.SIGKILL)  # after the change of user, which would undo it
        if command.cwd:
            os.chdir(command.cwd)
        if command.no_new_privileges:
            linux.forbid_new_privileges()
        os.execve(_find(command), list(command.argv), command.env)
    except BaseException as error:
        _report(report, error)
        os._exit(CANNOT_START)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _change_user(command: Command) -> None:
    if command.gid is not None or command.groups:
        os.setgroups(command.groups)
    if command.gid is not None:
        os.setgid(command.gid)
    if command.uid is not None and command.uid != os.getuid():
        os.setuid(command.uid)


def _find(command: Command) -> str:
    """The file to execute: the command's own PATH decides, not ours."""
    name = command.argv[0]
    if "/" in name:
        return name
    found = shutil.which(name, path=command.env.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(f'exec: "{name}": executable file not found in $PATH')
    return found


def _report(report: int, error: BaseException) -> None:
    with contextlib.suppress(OSError):
        os.write(report, (str(error) or type(error).__name__).encode()[:4000])


def _close_all_but(kept: set[int]) -> None:
    start = 3
    for fd in sorted(fd for fd in kept if fd >= 3):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 2**20 else 2**20)


def _supervise(pid: int) -> int:
    """Wait for the command, whatever else ends meanwhile; then end the rest. Gives the exit code."""
    for number in _PASSED_ON:
        signal.signal(number, lambda got, _: _pass_on(pid, got))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        ended, status = os.wait()
        if ended == pid:
            break
    _end_the_rest()
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _pass_on(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _end_the_rest() -> None:
    while True:
        for child in linux.children_of():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return
