"""What the HTTP benchmarks share: a served kcore, a bare aiohttp handler beside it, and the client that loads both.

The reference is one aiohttp handler that reads the request body and answers with bytes of the same size, under the
same certificate and event loop. The load comes from `wrk` (one thread, keep-alive), a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Served", "bare", "cpu_seconds", "free_port", "report", "served", "wrk"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(name: str, **figures: Any) -> None:
    """The one line a benchmark prints."""
    print(json.dumps({"bench": name, **figures}), flush=True)


@dataclass
class Served:
    """A running kcore."""

    url: str
    kubeconfig: Path
    data_dir: Path
    process: subprocess.Popen[bytes]
    ready_seconds: float

    @property
    def token(self) -> str:
        return "bench-token"

    @property
    def user_token(self) -> str:
        """Of vera, who may do nothing unless she is granted it."""
        return "user-token"

    @property
    def ca(self) -> Path:
        return self.data_dir / "pki" / "ca.crt"

    def request(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(self.ca))) as answer:
            return json.load(answer)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024


def cpu_seconds(server: Served) -> float:
    """What the process has used so far, in user and system time."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(*options: str) -> Iterator[Served]:
    """`python -m kcore serve` with a durable store in a new directory, ready to be asked."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kcore-bench-") as folder:
        data_dir = Path(folder, "data")
        tokens = Path(folder, "tokens.csv")
        tokens.write_text('bench-token,bench,bench,"system:masters"\nuser-token,vera,vera\n')
        command = [sys.executable, "-m", "kcore", "serve", "--data-dir", str(data_dir), "--secure-port", str(port)]
        command += ["--kubeconfig", str(Path(folder, "kubeconfig")), "--token-auth-file", str(tokens)]
        command += ["--log-level", "warning", *options]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            url = f"https://127.0.0.1:{port}"
            _wait_ready(url, process)
            ready_seconds = time.perf_counter() - start
            yield Served(url, Path(folder, "kubeconfig"), data_dir, process, ready_seconds)
        finally:
            process.terminate()
            process.wait(30)


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    deadline = time.monotonic() + 60
    # With a token: where everything is allowed, nobody may be anonymous.
    asked = urllib.request.Request(f"{url}/readyz", headers={"Authorization": "Bearer bench-token"})
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"kcore ended with code {process.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, context=context) as answer:
            if answer.status == 200:
                return
        time.sleep(0.005)
    raise TimeoutError("kcore did not become ready")


@contextlib.contextmanager
def bare(body: bytes, data_dir: Path) -> Iterator[str]:
    """A bare aiohttp handler that answers every request with `body`, under kcore's serving certificate."""
    port = free_port()
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = [sys.executable, "-m", "bench.serving", str(port), file.name, str(data_dir / "pki")]
        process = subprocess.Popen(command)
        try:
            _wait_ready(f"https://127.0.0.1:{port}", process)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _serve_bare(port: int, body: bytes, pki: Path) -> None:
    from aiohttp import web

    async def handler(request: web.Request) -> web.Response:
        if request.can_read_body:
            await request.read()
        return web.Response(body=body, content_type="application/json")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    app = web.Application(client_max_size=3 << 20)
    app.router.add_route("*", "/{path:.*}", handler)
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop(uvloop.new_event_loop())
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        ssl_context=context,
        print=None,
        access_log=None,
        loop=asyncio.get_event_loop_policy().get_event_loop(),
    )


def wrk(
    url: str, *, token: str = "", seconds: int = 5, connections: int = 32, method: str = "GET", body: bytes = b""
) -> float:
    """Requests a second that `wrk` sees; raises where any answer was not 2xx."""
    if not shutil.which("wrk"):
        raise RuntimeError("this benchmark needs wrk (Debian: apt-get install wrk)")
    script = ""
    if method != "GET":
        script = f"wrk.method = {json.dumps(method)}\nwrk.body = {json.dumps(body.decode())}\n"
    script += 'wrk.headers["Content-Type"] = "application/json"\n'
    if token:
        script += f'wrk.headers["Authorization"] = "Bearer {token}"\n'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", file.name, url]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(printed)
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found, printed
    return float(found[1])


if __name__ == "__main__":
    _serve_bare(int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]))
    os._exit(0)
