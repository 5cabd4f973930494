"""How long is a LIST of 5,000 pods, next to sending the same bytes from memory? (goal: at most 3 times as long)"""

from __future__ import annotations

import statistics
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from ssl import create_default_context

from bench.pods import pod
from bench.serving import Served, bare, report, served

PODS = 5000
PATH = "/api/v1/namespaces/default/pods"


def fetch(url: str, server: Served) -> tuple[float, bytes]:
    """Seconds until the whole body has been read, and the body."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {server.token}"})
    start = time.perf_counter()
    with urllib.request.urlopen(request, context=create_default_context(cafile=str(server.ca))) as answer:
        body: bytes = answer.read()
    return time.perf_counter() - start, body


def main() -> None:
    with served("--nodes", "0") as server:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: server.request("POST", PATH, pod(f"p-{i}", scheduler="none")), range(PODS)))
        _, body = fetch(server.url + PATH, server)
        assert body.count(b'"schedulerName":"none"') == PODS
        with bare(body, server.data_dir) as url:
            pairs = [(fetch(server.url + PATH, server)[0], fetch(url + PATH, server)[0]) for _ in range(7)]
    report(
        "http_list",
        pods=PODS,
        megabytes=round(len(body) / 1e6, 1),
        kcore_ms=round(statistics.median(got for got, _ in pairs) * 1000, 1),
        bare_ms=round(statistics.median(reference for _, reference in pairs) * 1000, 1),
        ratio=round(statistics.median(got / reference for got, reference in pairs), 2),
        goal=3,
    )


if __name__ == "__main__":
    main()
