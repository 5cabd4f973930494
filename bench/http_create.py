"""How fast are durable pod creates, next to a bare aiohttp handler that reads and sends the same bytes? (goal: 0.25)"""

from __future__ import annotations

import json
import statistics

from bench.pods import pod
from bench.serving import bare, report, served, wrk


def main() -> None:
    with served("--nodes", "0") as server:
        path = "/api/v1/namespaces/default/pods"
        # A scheduler name that nobody serves: this asks for the price of the create, not of what follows it.
        document = pod("", generate_name="bench-", scheduler="none")
        body = json.dumps(document, separators=(",", ":")).encode()
        answer = json.dumps(server.request("POST", path, document), separators=(",", ":")).encode()
        with bare(answer, server.data_dir) as url:
            pairs = [
                (
                    wrk(server.url + path, token=server.token, seconds=4, method="POST", body=body),
                    wrk(url + path, token=server.token, seconds=4, method="POST", body=body),
                )
                for _ in range(3)
            ]
    ratio = statistics.median(got / reference for got, reference in pairs)
    report(
        "http_create",
        kcore_per_second=round(statistics.median(got for got, _ in pairs)),
        bare_per_second=round(statistics.median(reference for _, reference in pairs)),
        ratio=round(ratio, 3),
        goal=0.25,
    )


if __name__ == "__main__":
    main()
