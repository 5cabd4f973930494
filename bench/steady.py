"""How much of a core does a cluster of 5,000 pods on 1,000 nodes take while nothing happens? (goal: a tenth)"""

from __future__ import annotations

import time

from bench.pods import deployment
from bench.serving import cpu_seconds, report, served

PODS = 5000
NODES = 1000
REST_SECONDS = 15
WATCHED_SECONDS = 30
GOAL = 0.1


def main() -> None:
    with served("--nodes", str(NODES)) as server:
        server.request("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", PODS))
        path = "/apis/apps/v1/namespaces/default/deployments/web"
        while server.request("GET", path)["status"].get("availableReplicas", 0) < PODS:
            time.sleep(0.5)
        time.sleep(REST_SECONDS)
        before, began = cpu_seconds(server), time.perf_counter()
        time.sleep(WATCHED_SECONDS)
        share = (cpu_seconds(server) - before) / (time.perf_counter() - began)
        memory = server.memory_mb()
    report("steady", pods=PODS, nodes=NODES, core_share=round(share, 3), goal=GOAL, memory_mb=round(memory))


if __name__ == "__main__":
    main()
