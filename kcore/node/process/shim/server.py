"""The shim's loop: requests from its socket, output of containers, children that have ended.

Requests and answers are JSON, one a line: `{"id": 7, "do": "start", ...}`, then `{"id": 7}` or
`{"id": 7, "error": "..."}`. Descriptors travel beside an answer, whose `fds` counts them. What happens by itself is
told without an id: `{"event": "exited", ...}`. See `Shim` for what can be asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from kcore.node.process.shim import cgroups, linux, rootfs
from kcore.node.process.shim.containers import Attempt, Session, close_all
from kcore.node.process.shim.init import CANNOT_START
from kcore.node.process.shim.output import Output
from kcore.node.process.shim.spec import Command, Container

__all__ = ["Shim", "main"]

Message = dict[str, Any]
FIRST_CONTACT_SECONDS = 10.0


class Connection:
    """One kubelet. Nothing waits for it: what it does not take yet is queued."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.received = b""
        self.waiting: deque[tuple[bytes, list[int]]] = deque()

    def send(self, message: Message, fds: list[int]) -> None:
        self.waiting.append((json.dumps({**message, "fds": len(fds)}).encode() + b"\n", fds))
        self.flush()

    def flush(self) -> None:
        """Send what can be sent. Raises OSError when the other side is gone."""
        while self.waiting:
            data, fds = self.waiting[0]
            try:
                sent = socket.send_fds(self.sock, [data], fds)
            except BlockingIOError:
                return
            close_all(*fds)
            self.waiting.popleft()
            if sent < len(data):
                self.waiting.appendleft((data[sent:], []))

    def close(self) -> None:
        self.sock.close()
        for _, fds in self.waiting:
            close_all(*fds)


class Shim:
    """`do_*` are the requests. Each answers by itself, so that a slow start holds up nobody."""

    def __init__(self, folder: str, linger_seconds: float, *, isolate: bool) -> None:
        self._selector = selectors.DefaultSelector()
        # Through the folder's descriptor: the path of a socket may not be long, but a folder's may.
        self._folder = os.open(folder, os.O_PATH)
        self._path = f"/proc/self/fd/{self._folder}/shim.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        self._linger = linger_seconds
        self._alone_since = time.monotonic() + FIRST_CONTACT_SECONDS
        self._connections: set[Connection] = set()
        self._attempts: dict[str, Attempt] = {}
        self._sessions: dict[int, tuple[str, Session]] = {}
        self._done = False
        self.why_not_isolated = rootfs.supported(f"{folder}/probe") if isolate else "as it was told"
        self._isolated = not self.why_not_isolated
        self._cgroups = cgroups.usable()

    def run(self) -> None:
        """Serve until told to stop, or until nobody has been there for so long."""
        linux.adopt_orphans()
        waker, woken = socket.socketpair()
        for sock in (waker, woken):
            sock.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._watch(woken, lambda: self._reap(woken))
        self._watch(self._listener, self._accept)
        while not self._done:
            for key, _ in self._selector.select(timeout=1.0):
                try:
                    key.data()
                except Exception:  # one container's fault must not end the others
                    traceback.print_exc()
            if not self._connections and time.monotonic() - self._alone_since >= self._linger:
                self._done = True
        self._end()

    def do_hello(self, request: Message) -> Message:
        """Who is there, and what can it do?"""
        return {"pid": os.getpid(), "isolated": self._isolated, "why": self.why_not_isolated, "cgroups": self._cgroups}

    def do_list(self, request: Message) -> Message:
        return {"containers": [attempt.describe() for attempt in self._attempts.values()]}

    def do_kill(self, request: Message) -> Message:
        if attempt := self._attempts.get(request["container"]):
            attempt.kill(request["signal"])
        return {}

    def do_limit(self, request: Message) -> Message:
        self._attempts[request["container"]].limit(request["limits"])
        return {}

    def do_close_stdin(self, request: Message) -> Message:
        if attempt := self._attempts.get(request["container"]):
            attempt.close_stdin()
        return {}

    def do_remove(self, request: Message) -> Message:
        """Forget a container that has ended."""
        attempt = self._attempts.get(request["container"])
        if attempt is not None and not attempt.running:
            del self._attempts[request["container"]]
            attempt.remove()
        return {}

    def do_kill_session(self, request: Message) -> Message:
        for name, session in self._sessions.values():
            if name == request["session"]:
                session.kill()
        return {}

    def do_stop(self, request: Message) -> Message:
        """End all containers, then this process."""
        self._stop()
        return {}

    def start(self, connection: Connection, request: Message) -> None:
        """Start a container; the answer comes when its command has been executed."""
        container = Container.of(request["container"])
        if not self._cgroups:
            container = container._replace(cgroup="")
        attempt = Attempt(container, isolated=self._isolated)
        if limits := request.get("limits"):
            attempt.limit(limits)
        report = attempt.start()
        self._attempts[container.id] = attempt
        for output in attempt.outputs:
            self._watch(output.fd, partial(self._pump, output))

        def on_report(why: str) -> None:
            answer = {"error": why} if why else attempt.describe()
            if why:
                attempt.exit_code = CANNOT_START
            self._send(connection, {"id": request["id"], **answer})

        self._await_report(report, on_report)

    def exec(self, connection: Connection, request: Message) -> None:
        """Start a command in a container."""
        attempt = self._attempts.get(request["container"])
        if attempt is None or not attempt.running:
            self._send(connection, {"id": request["id"], "error": "the container does not run"})
            return
        flags = {"stdin": request["stdin"], "tty": request["tty"], "isolated": self._isolated}
        session = Session(attempt, Command(**request["command"]), **flags)
        report, fds = session.start()
        self._sessions[session.pid] = (request["session"], session)

        def on_report(why: str) -> None:
            if why:
                close_all(*fds)
                self._send(connection, {"id": request["id"], "error": why})
            else:
                self._send(connection, {"id": request["id"]}, fds)

        self._await_report(report, on_report)

    def attach(self, connection: Connection, request: Message) -> None:
        """Listen to a container."""
        attempt = self._attempts.get(request["container"])
        if attempt is None or not attempt.running:
            self._send(connection, {"id": request["id"], "error": "the container does not run"})
        else:
            self._send(connection, {"id": request["id"]}, attempt.attach(stdin=request["stdin"]))

    def _await_report(self, report: int, then: Callable[[str], None]) -> None:
        said = b""

        def on_readable() -> None:
            nonlocal said
            data = os.read(report, 4096)
            said += data
            if not data:
                self._selector.unregister(report)
                os.close(report)
                then(said.decode(errors="replace"))

        self._watch(report, on_readable)

    def _watch(self, fd: int | socket.socket, then: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, then)

    def _pump(self, output: Output) -> None:
        try:
            output.pump()
        except EOFError:
            self._selector.unregister(output.fd)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        connection = Connection(sock)
        self._connections.add(connection)
        self._watch(sock, lambda: self._serve(connection))

    def _serve(self, connection: Connection) -> None:
        """Take requests, and give what has waited."""
        try:
            connection.flush()
            data = connection.sock.recv(1 << 16)
        except BlockingIOError:
            return self._listen_for(connection)
        except OSError:
            data = b""
        if not data:
            return self._drop(connection)
        *lines, connection.received = (connection.received + data).split(b"\n")
        for line in lines:
            self._handle(connection, json.loads(line))
        return None

    def _handle(self, connection: Connection, request: Message) -> None:
        verb = request["do"]
        try:
            if verb in ("start", "exec", "attach"):
                getattr(self, verb)(connection, request)
            else:
                self._send(connection, {"id": request["id"], **getattr(self, f"do_{verb}")(request)})
        except Exception as error:
            self._send(connection, {"id": request["id"], "error": str(error) or repr(error)})

    def _send(self, connection: Connection, message: Message, fds: list[int] | None = None) -> None:
        try:
            connection.send(message, fds or [])
        except OSError:
            self._drop(connection)
        self._listen_for(connection)

    def _listen_for(self, connection: Connection) -> None:
        """Wake up when a connection has something to read, or room for what waits."""
        if connection in self._connections:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
            self._selector.modify(connection.sock, events, lambda: self._serve(connection))

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.sock)
            connection.close()
            self._alone_since = time.monotonic()

    def _reap(self, woken: socket.socket | None = None) -> None:
        if woken is not None:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended(*found)
        self._kill_strays()

    def _ended(self, pid: int, status: int) -> None:
        if pid in self._sessions:
            name, _ = self._sessions.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            self._tell({"event": "session-ended", "session": name, "exit_code": 128 - code if code < 0 else code})
        for attempt in self._attempts.values():
            if attempt.pid == pid and attempt.running:
                for output in attempt.outputs:
                    with contextlib.suppress(KeyError, ValueError):
                        self._selector.unregister(output.fd)
                attempt.ended(status)
                self._tell({"event": "exited", **attempt.describe()})

    def _kill_strays(self) -> None:
        """End what has lost its container: whoever has become our child and is none that we know."""
        known = {attempt.pid for attempt in self._attempts.values() if attempt.running} | set(self._sessions)
        for pid in linux.children_of():
            if pid not in known:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _tell(self, event: Message) -> None:
        for connection in list(self._connections):
            self._send(connection, event)

    def _stop(self) -> None:
        self._done = True

    def _end(self) -> None:
        for attempt in self._attempts.values():
            attempt.kill(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while linux.children_of() and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.005)
        for attempt in self._attempts.values():
            attempt.remove()
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def main() -> None:
    """`python -c '...' FOLDER LINGER_SECONDS [shared]`; says `ready` once it listens."""
    shim = Shim(sys.argv[1], float(sys.argv[2]), isolate="shared" not in sys.argv[3:])
    os.chdir("/")
    print("ready", flush=True)
    os.dup2(2, 1)
    shim.run()
