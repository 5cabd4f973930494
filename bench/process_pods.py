"""How many pods of processes start a second? (goal: 50)

Each pod is one `sleep`, created over HTTP for a node of this machine; the time ends when the last one is Running.
"""

from __future__ import annotations

import time
from typing import Any

from bench.serving import Served, report, served

PODS = 100
PATH = "/api/v1/namespaces/default/pods"
GOAL = 50


def pod(name: str) -> dict[str, Any]:
    container = {"name": "app", "image": "x", "command": ["sleep", "1000"]}
    spec = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def await_account(server: Served) -> None:
    """Wait until pods may be created: their ServiceAccount is there."""
    while not server.request("GET", "/api/v1/namespaces/default/serviceaccounts")["items"]:
        time.sleep(0.05)


def main() -> None:
    with served("--nodes", "1", "--runtime", "process", "--node-capacity", "pods=500,cpu=100") as server:
        await_account(server)
        began, worked = time.perf_counter(), server.cpu_seconds()
        for number in range(PODS):
            server.request("POST", PATH, pod(f"p{number}"))
        while True:
            pods = server.request("GET", PATH)["items"]
            if sum(item["status"]["phase"] == "Running" for item in pods) == PODS:
                break
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
