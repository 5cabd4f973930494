"""How long until a Deployment of 1,000 pods on 100 fake nodes is Running, and until its namespace is gone? (goal: 3 s)

The real control plane on a machine of this size brings Deployments to Running at 65-79 pods a second (see design notes
in ARCHITECTURE.md); the ratio is against 79.
"""

from __future__ import annotations

import time

from bench.pods import deployment
from bench.serving import report, served

PODS = 1000
NODES = 100
UPSTREAM_PODS_PER_SECOND = 79


def main() -> None:
    with served("--nodes", str(NODES)) as server:
        while len(server.request("GET", "/api/v1/nodes")["items"]) < NODES:
            time.sleep(0.05)
        server.request(
            "POST", "/api/v1/namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "big"}}
        )
        start = time.perf_counter()
        server.request("POST", "/apis/apps/v1/namespaces/big/deployments", deployment("web", PODS))
        path = "/apis/apps/v1/namespaces/big/deployments/web"
        while server.request("GET", path)["status"].get("availableReplicas", 0) < PODS:
            time.sleep(0.02)
        running = time.perf_counter() - start
        start = time.perf_counter()
        server.request("DELETE", "/api/v1/namespaces/big")
        while any(item["metadata"]["name"] == "big" for item in server.request("GET", "/api/v1/namespaces")["items"]):
            time.sleep(0.02)
        gone = time.perf_counter() - start
    report(
        "deployment",
        pods=PODS,
        nodes=NODES,
        running_seconds=round(running, 2),
        pods_per_second=round(PODS / running),
        ratio_to_upstream=round(PODS / running / UPSTREAM_PODS_PER_SECOND, 1),
        namespace_gone_seconds=round(gone, 2),
        goal_seconds=3,
    )


if __name__ == "__main__":
    main()
