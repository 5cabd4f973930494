"""How much memory does a process hold with 50,000 running pods on 1,000 fake nodes? (goal: 1 GB)"""

from __future__ import annotations

import time

from bench.pods import deployment
from bench.serving import report, served

PODS = 50_000
NODES = 1000
DEPLOYMENTS = 10
GOAL_MB = 1024


def main() -> None:
    base = "/apis/apps/v1/namespaces/default/deployments"
    with served("--nodes", str(NODES), "--node-capacity", "pods=250", "--cluster-cidr", "10.128.0.0/9") as server:
        empty = server.memory_mb()
        began = time.perf_counter()
        for number in range(DEPLOYMENTS):
            server.request("POST", base, deployment(f"web-{number}", PODS // DEPLOYMENTS))
        available = 0
        while available < PODS and server.process.poll() is None:
            time.sleep(2)
            items = server.request("GET", base)["items"]
            available = sum(item["status"].get("availableReplicas", 0) for item in items)
        seconds, memory = time.perf_counter() - began, server.memory_mb()
    report(
        "fake_pods",
        pods=PODS,
        nodes=NODES,
        seconds=round(seconds, 1),
        memory_mb=round(memory),
        memory_mb_before=round(empty),
        goal_mb=GOAL_MB,
    )


if __name__ == "__main__":
    main()
