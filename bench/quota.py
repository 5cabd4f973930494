"""What do roles and a quota add to a pod create? CPU time of the server for one, next to none of either. (goal: 1.3)

One server decides by RBAC, and a quota of the namespace limits pods, requests and limits; the other allows everything
and has no quota. Both run the default admission plugins, and both are asked by the same user.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator

from bench.pods import pod
from bench.serving import Served, report, served, wrk

SECONDS = 3
ROUNDS = 5
PODS = "/api/v1/namespaces/default/pods"
QUOTAS = "/api/v1/namespaces/default/resourcequotas"
HARD = {"pods": "1M", "requests.cpu": "100k", "requests.memory": "1Pi", "limits.memory": "1Pi"}


def microseconds(server: Served, body: bytes) -> float:
    """CPU time of one create."""
    before = server.cpu_seconds()
    rate = wrk(server.url + PODS, token=server.user_token, seconds=SECONDS, method="POST", body=body)
    return (server.cpu_seconds() - before) / (rate * SECONDS) * 1e6


def limit(server: Served) -> None:
    """Let the user edit the namespace, under a quota."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": HARD}}
    server.request("POST", QUOTAS, quota)
    while "used" not in server.request("GET", f"{QUOTAS}/quota")["status"]:
        time.sleep(0.01)  # a quota judges once its controller has counted what there is
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "vera"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "vera"}],
    }
    server.request("POST", f"/apis/{group}/v1/namespaces/default/rolebindings", binding)


def rounds(limited: Served, free: Served) -> Iterator[tuple[float, float]]:
    # A scheduler name that nobody serves: this asks for the price of the create, not of what follows it.
    body = json.dumps(pod("", generate_name="bench-", scheduler="none"), separators=(",", ":")).encode()
    for server in (limited, free):  # the first requests find nothing cached
        microseconds(server, body)
    for _ in range(ROUNDS):
        yield microseconds(limited, body), microseconds(free, body)


def main() -> None:
    with (
        served("--nodes", "0") as limited,
        served("--nodes", "0", "--authorization-mode", "AlwaysAllow") as free,
    ):
        limit(limited)
        pairs = list(rounds(limited, free))
    report(
        "quota",
        limited_us=round(statistics.median(a for a, _ in pairs)),
        free_us=round(statistics.median(b for _, b in pairs)),
        ratio=round(statistics.median(a / b for a, b in pairs), 2),
        goal=1.3,
    )


if __name__ == "__main__":
    main()
