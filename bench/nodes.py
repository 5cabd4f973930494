"""How soon are 1,000 and 5,000 fake nodes Ready, and what part of a core do the heartbeats of 5,000 take?

(goals: 1.5 s, 10 s, a tenth). Seconds until the server is ready count: nodes register before it says so. Processor
time is told as well, since that does not depend on what else the machine does.
"""

from __future__ import annotations

import time

from bench.serving import Served, report, served

REST_SECONDS = 20
WATCHED_SECONDS = 30


def count_ready(server: Served) -> int:
    nodes = server.request("GET", "/api/v1/nodes")["items"]
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]) for node in nodes
    )


def ready(nodes: int, *, watch: bool) -> dict[str, float]:
    started = time.perf_counter()
    with served("--nodes", str(nodes), "--cluster-cidr", "10.128.0.0/9") as server:
        while count_ready(server) < nodes:
            time.sleep(0.1)
        figures = {"seconds": time.perf_counter() - started, "cpu_seconds": server.cpu_seconds()}
        if watch:
            time.sleep(REST_SECONDS)
            before, began = server.cpu_seconds(), time.perf_counter()
            time.sleep(WATCHED_SECONDS)
            figures["core_share"] = (server.cpu_seconds() - before) / (time.perf_counter() - began)
    return figures


def main() -> None:
    few, many = ready(1000, watch=False), ready(5000, watch=True)
    report(
        "nodes",
        seconds_for_1000=round(few["seconds"], 2),
        cpu_seconds_for_1000=round(few["cpu_seconds"], 2),
        seconds_for_5000=round(many["seconds"], 2),
        cpu_seconds_for_5000=round(many["cpu_seconds"], 2),
        heartbeats_core_share=round(many["core_share"], 3),
        goals=[1.5, 10, 0.1],
    )


if __name__ == "__main__":
    main()
