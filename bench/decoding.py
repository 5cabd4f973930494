"""What do decoding a pod and patching a Deployment cost, next to msgspec's bare typed decode of the same pod?

In process, single-threaded. (goals: 4 times the bare decode for a client's body, 150 us for a strategic patch)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from bench.pods import deployment, pod
from bench.serving import report
from kcore.api.apps_v1 import Deployment
from kcore.api.core_v1 import Pod
from kcore.api.decoding import decode_json
from kcore.api.documents import Expected
from kcore.api.kind import Kind
from kcore.api.scheme import Scheme
from kcore.api.timestamp import parse
from kcore.registry.patching.patch import prepare
from kcore.registry.request import PatchType
from kcore.registry.tables import table
from kcore.store.store import Record

ROUNDS = 2_000
CONTAINERS = 6
PATCH = b'{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example/app:2.0"}]}}}}'


def microseconds(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """The best of three runs, for one turn."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(rounds):
            work()
        best = min(best, time.perf_counter() - start)
    return best / rounds * 1e6


def large_pod() -> bytes:
    """About 3 kB, as operators write them."""
    tree = pod("p")
    container = tree["spec"]["containers"][0]
    tree["spec"]["containers"] = [{**container, "name": f"c{i}"} for i in range(CONTAINERS * 2)]
    return msgspec.json.encode(tree)


def table_of_5000() -> Callable[[], bytes]:
    kind: Kind = Scheme().of(Pod)
    obj = msgspec.convert(pod("p"), Pod)
    records = [Record(f"pods/ns/p{i}", i, obj, b"{}") for i in range(5000)]
    now = parse("2024-01-01T00:00:00Z")
    return lambda: msgspec.json.encode(table(kind, records, now=now))


def main() -> None:
    body = large_pod()
    bare = microseconds(lambda: msgspec.json.decode(body, type=Pod))
    decoded = microseconds(lambda: decode_json(Pod, body))
    apply = prepare(PatchType.STRATEGIC, PATCH, Expected(Deployment, "apps", "v1"), Scheme())
    standing = msgspec.json.encode(msgspec.convert(deployment("d", 3), Deployment))
    report(
        "decoding",
        bytes=len(body),
        bare_us=round(bare, 1),
        decode_us=round(decoded, 1),
        ratio=round(decoded / bare, 2),
        strategic_us=round(microseconds(lambda: apply(standing)), 1),
        table_5000_ms=round(microseconds(table_of_5000(), 3) / 1000, 1),
    )


if __name__ == "__main__":
    main()
