"""What does a pod create cost in the registry, next to decoding and encoding the same pod and nothing else?

In process, over a store in memory: decoding, defaulting, admission, validation and the commit, without HTTP and disk.
Also a GET. (goal: 80 us a create beyond the reference)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from bench.pods import pod
from bench.serving import report
from kcore.api.core_v1 import Namespace, Pod
from kcore.api.documents import Expected, decode_document
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheme import Scheme
from kcore.registry.codec import StoreCodec
from kcore.registry.request import Request, User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

CREATES = 5_000
ROUNDS = 3
ADMIN = User("admin", groups=("system:masters",))
EXPECTED = Expected(Pod, "", "v1")


class Bench:
    def __init__(self) -> None:
        self.scheme = Scheme()
        self.registry = Registry(EmbeddedStore(StoreCodec(self.scheme, STRATEGIES), MemoryLog()), self.scheme)
        self.kind = self.scheme.of(Pod)
        self.count = 0

    async def prepare(self) -> None:
        request = Request("create", self.scheme.of(Namespace), "", "", ADMIN)
        await self.registry.create(request, Namespace(metadata=ObjectMeta(name="ns")))

    def body(self) -> bytes:
        self.count += 1
        return msgspec.json.encode(pod(f"p{self.count}"))

    async def create(self, body: bytes) -> None:
        obj = decode_document(body, EXPECTED, self.scheme)
        await self.registry.create(Request("create", self.kind, "ns", "", ADMIN), obj)

    async def transcode(self, body: bytes) -> None:
        msgspec.json.encode(decode_document(body, EXPECTED, self.scheme))

    async def get(self, body: bytes) -> None:
        self.registry.get(Request("get", self.kind, "ns", "p1", ADMIN))


async def microseconds(bench: Bench, work: Callable[[bytes], Awaitable[None]]) -> float:
    """The best round's time for one call."""
    rounds = []
    for _ in range(ROUNDS):
        bodies = [bench.body() for _ in range(CREATES)]
        start = time.perf_counter()
        for body in bodies:
            await work(body)
        rounds.append((time.perf_counter() - start) / CREATES * 1e6)
    return min(rounds)


async def main() -> None:
    bench = Bench()
    await bench.prepare()
    create = await microseconds(bench, bench.create)
    get = await microseconds(bench, bench.get)
    reference = await microseconds(bench, bench.transcode)
    report(
        "registry_create",
        create_us=round(create, 1),
        get_us=round(get, 1),
        reference_us=round(reference, 1),
        ratio=round(create / reference, 1),
    )


if __name__ == "__main__":
    asyncio.run(main())
