"""A kcore process for tests: started as a user starts it, known by its kubeconfig."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

__all__ = ["Kubectl", "Served", "eventually", "kubectls", "start"]

START_SECONDS = 30


@dataclass
class Served:
    """`python -m kcore serve` and the way to reach it."""

    process: subprocess.Popen[str]
    kubeconfig: Path
    announced: str
    config: dict[str, Any] = field(init=False)
    tls: ssl.SSLContext = field(init=False)
    """A client context with the admin's certificate, made once: tests ask from several threads."""

    def __post_init__(self) -> None:
        self.config = yaml.safe_load(self.kubeconfig.read_text())
        self.tls = self._client_context()

    @property
    def url(self) -> str:
        return str(self.config["clusters"][0]["cluster"]["server"])

    def _client_context(self) -> ssl.SSLContext:
        folder = self.kubeconfig.parent
        cluster = self.config["clusters"][0]["cluster"]
        user = next(entry["user"] for entry in self.config["users"] if entry["name"] == "kcore")
        cert, key = folder / "client.crt", folder / "client.key"
        cert.write_bytes(base64.b64decode(user["client-certificate-data"]))
        key.write_bytes(base64.b64decode(user["client-key-data"]))
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        context.load_cert_chain(cert, key)
        return context

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": content_type}, method=method)
        with urllib.request.urlopen(request, context=self.tls, timeout=30) as answer:
            return json.load(answer)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self.process.stdout
        self.process.stdout.close()
        self.process.send_signal(signum)
        return self.process.wait(30)


def start(folder: Path, *options: str) -> Served:
    """Serve on a free port with the kubeconfig in `folder`; returns once kcore has said that it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    kubeconfig = folder / "kubeconfig"
    command = [sys.executable, "-m", "kcore", "serve", "--secure-port", "0", "--kubeconfig", str(kubeconfig), *options]
    with (folder / "stderr").open("a") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout
    guard = threading.Timer(START_SECONDS, process.kill)
    guard.start()
    lines = ""
    for line in process.stdout:
        lines += line
        if "kubectl" in line:
            break
    guard.cancel()
    if "kubectl" not in lines:
        process.wait()
        process.stdout.close()
        raise AssertionError(f"kcore did not start: {lines}{(folder / 'stderr').read_text()}")
    return Served(process, kubeconfig, lines)


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    server = start(folder, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
    said = (folder / "stderr").read_text()
    assert "Traceback" not in said, said


def kubectls() -> list[Path]:
    """Every kubectl of this machine: the one on the PATH and those beside it that name a version."""
    found = shutil.which("kubectl")
    if found is None:
        return []
    wrapper = Path(found).resolve()
    folders = {wrapper.parent, wrapper.parent / "bin", Path("/usr/lib/google-cloud-sdk/bin")}
    versions = sorted(path for folder in folders for path in folder.glob("kubectl.1.*"))
    return versions or [Path(found)]


@dataclass
class Kubectl:
    """One kubectl binary, pointed at one cluster and one namespace."""

    binary: Path
    server: Served
    namespace: str

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 60) -> str:
        """Run it and return what it printed, warnings last; with `check` it must succeed."""
        done = self._run(arguments, stdin, timeout)
        printed = done.stdout + done.stderr
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {printed}"
        return printed

    def json(self, *arguments: str) -> Any:
        done = self._run((*arguments, "-o", "json"))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> Sequence[str]:
        return [str(self.binary), "--kubeconfig", str(self.server.kubeconfig), "-n", self.namespace, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.server.kubeconfig.parent / self.binary.name)}

    def _run(
        self, arguments: Sequence[str], stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
            check=False,
        )


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition of another process; fails with what it was still not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"still not so after {seconds} s: {holds.__doc__ or holds}")
        time.sleep(0.05)
