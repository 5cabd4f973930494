"""How fast is GET of one pod, next to a bare aiohttp handler that sends the same bytes? (goal: 0.5 or more)"""

from __future__ import annotations

import json
import statistics

from bench.pods import pod
from bench.serving import bare, report, served, wrk


def main() -> None:
    with served("--nodes", "0") as server:
        server.request("POST", "/api/v1/namespaces/default/pods", pod("one"))
        path = "/api/v1/namespaces/default/pods/one"
        body = json.dumps(server.request("GET", path), separators=(",", ":")).encode()
        with bare(body, server.data_dir) as url:
            pairs = [
                (wrk(server.url + path, token=server.token, seconds=4), wrk(url + path, token=server.token, seconds=4))
                for _ in range(3)
            ]
    ratio = statistics.median(got / reference for got, reference in pairs)
    report(
        "http_get",
        kcore_per_second=round(statistics.median(got for got, _ in pairs)),
        bare_per_second=round(statistics.median(reference for _, reference in pairs)),
        ratio=round(ratio, 3),
        goal=0.5,
    )


if __name__ == "__main__":
    main()
