"""How long until 1,000 Deployments of one pod each, rolled at once, all run their new template?"""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.pods import deployment
from bench.serving import Served, cpu_seconds, report, served

DEPLOYMENTS = 1000
NODES = 100
CALLERS = 8
PATH = "/apis/apps/v1/namespaces/default/deployments"


def _patch(server: Served, name: str, patch: Any) -> None:
    request = urllib.request.Request(server.url + f"{PATH}/{name}", json.dumps(patch).encode(), method="PATCH")
    request.add_header("Authorization", f"Bearer {server.token}")
    request.add_header("Content-Type", "application/strategic-merge-patch+json")
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(server.ca))):
        return


def _rolled(server: Served, generation: int) -> bool:
    items = server.request("GET", PATH)["items"]
    return len(items) == DEPLOYMENTS and all(
        item["status"].get("observedGeneration", 0) >= generation
        and item["status"].get("updatedReplicas") == item["status"].get("availableReplicas") == 1
        and item["status"].get("replicas") == 1
        for item in items
    )


def main() -> None:
    names = [f"web{i}" for i in range(DEPLOYMENTS)]
    with served("--nodes", str(NODES)) as server, ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(lambda name: server.request("POST", PATH, deployment(name, 1)), names))
        while not _rolled(server, 1):
            time.sleep(0.5)
        change = {
            "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example/app:2.0"}]}}}
        }
        used, start = cpu_seconds(server), time.perf_counter()
        list(callers.map(lambda name: _patch(server, name, change), names))
        while not _rolled(server, 2):
            time.sleep(1)  # each look costs the server a list of them all
        seconds = time.perf_counter() - start
        used = cpu_seconds(server) - used
    report(
        "rollouts",
        deployments=DEPLOYMENTS,
        nodes=NODES,
        seconds=round(seconds, 2),
        cpu_ms_per_deployment=round(1000 * used / DEPLOYMENTS, 2),
    )


if __name__ == "__main__":
    main()
