"""How many pods of processes start a second? (goal: 50)

A Deployment of pods that `sleep` on one node of this machine, until all are available: scheduling and controllers
included.
"""

from __future__ import annotations

import time
from typing import Any

from bench.serving import report, served

PODS = 100
PATH = "/apis/apps/v1/namespaces/default/deployments"
GOAL = 50


def sleepers() -> dict[str, Any]:
    labels = {"app": "sleeper"}
    container = {"name": "app", "image": "x", "command": ["sleep", "1000"]}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": spec}
    whole = {"replicas": PODS, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sleepers"}, "spec": whole}


def main() -> None:
    with served("--nodes", "1", "--runtime", "process", "--node-capacity", "pods=500,cpu=100") as server:
        began, worked = time.perf_counter(), server.cpu_seconds()
        server.request("POST", PATH, sleepers())
        while server.request("GET", f"{PATH}/sleepers")["status"].get("availableReplicas", 0) < PODS:
            time.sleep(0.05)
        seconds, worked = time.perf_counter() - began, server.cpu_seconds() - worked
    report(
        "process_pods",
        pods=PODS,
        pods_a_second=round(PODS / seconds, 1),
        pods_a_cpu_second_of_kcore=round(PODS / worked, 1),
        goal=GOAL,
    )


if __name__ == "__main__":
    main()
