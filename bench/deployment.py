"""How long until a Deployment of 1,000 pods on 100 fake nodes is Running, and until its namespace is gone? (goal: 3 s)

The real control plane on a machine of this size brings Deployments to Running at 65-79 pods a second (see design notes
in ARCHITECTURE.md); the ratio is against 79. The CPU time tells the same on a busy machine.
"""

from __future__ import annotations

import time

from bench.pods import deployment
from bench.serving import cpu_seconds, report, served

UPSTREAM_PODS_PER_SECOND = 79


def measure(name: str, pods: int, nodes: int, goal_seconds: float) -> None:
    with served("--nodes", str(nodes)) as server:
        while len(server.request("GET", "/api/v1/nodes")["items"]) < nodes:
            time.sleep(0.05)
        server.request(
            "POST", "/api/v1/namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "big"}}
        )
        used, start = cpu_seconds(server), time.perf_counter()
        server.request("POST", "/apis/apps/v1/namespaces/big/deployments", deployment("web", pods))
        path = "/apis/apps/v1/namespaces/big/deployments/web"
        while server.request("GET", path)["status"].get("availableReplicas", 0) < pods:
            time.sleep(0.02)
        running, running_cpu = time.perf_counter() - start, cpu_seconds(server) - used
        used, start = cpu_seconds(server), time.perf_counter()
        server.request("DELETE", "/api/v1/namespaces/big")
        while any(item["metadata"]["name"] == "big" for item in server.request("GET", "/api/v1/namespaces")["items"]):
            time.sleep(0.02)
        gone, gone_cpu = time.perf_counter() - start, cpu_seconds(server) - used
    report(
        name,
        pods=pods,
        nodes=nodes,
        running_seconds=round(running, 2),
        pods_per_second=round(pods / running),
        ratio_to_upstream=round(pods / running / UPSTREAM_PODS_PER_SECOND, 1),
        running_cpu_ms_per_pod=round(1000 * running_cpu / pods, 2),
        namespace_gone_seconds=round(gone, 2),
        gone_cpu_ms_per_pod=round(1000 * gone_cpu / pods, 2),
        goal_seconds=goal_seconds,
    )


def main() -> None:
    measure("deployment", pods=1000, nodes=100, goal_seconds=3)


if __name__ == "__main__":
    main()
