"""How many megabytes a second of a container's log reach a client that follows it? (goal: 50)

The container is a process of this machine that writes lines of 100 bytes as fast as it can; the way is the whole one:
its output, the log file, the kubelet's filter, TLS, a client that only counts. Since all of these share the machine,
the server's own processor time is told as well.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.serving import Served, report, served

MEGABYTES = 150
LINE = "a line of a log that is one hundred bytes long, its end included, as lines of logs often happen to be"[:99]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "talker"},
    "spec": {"containers": [{"name": "app", "image": "busybox", "command": ["yes", LINE]}]},
}
PATH = "/api/v1/namespaces/default/pods"


def cpu_seconds(server: Served) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def await_running(server: Served) -> None:
    while True:
        pod: Any = server.request("GET", f"{PATH}/talker")
        if pod["status"]["phase"] == "Running":
            return
        time.sleep(0.05)


def follow(server: Served, megabytes: int) -> tuple[float, float]:
    """Seconds until so much has been read, and how many of them the server has worked."""
    request = Request(f"{server.url}{PATH}/talker/log?follow=true", headers={"Authorization": f"Bearer {server.token}"})
    buffer = memoryview(bytearray(1 << 18))
    with urlopen(request, context=ssl.create_default_context(cafile=str(server.ca)), timeout=60) as answer:
        left = megabytes * 1_000_000 - answer.readinto(buffer)
        start, worked = time.perf_counter(), cpu_seconds(server)
        while left > 0:
            left -= answer.readinto(buffer)
        return time.perf_counter() - start, cpu_seconds(server) - worked


def main() -> None:
    with served("--nodes", "1", "--runtime", "process") as server:
        server.request("POST", PATH, POD)
        await_running(server)
        follow(server, 10)
        seconds, worked = follow(server, MEGABYTES)
    report(
        "log_follow",
        megabytes=MEGABYTES,
        megabytes_a_second=round(MEGABYTES / seconds, 1),
        megabytes_a_cpu_second=round(MEGABYTES / worked, 1),
        goal=50,
    )


if __name__ == "__main__":
    main()
