"""What does it cost to know who owns which field?

In process, without HTTP and disk. Tracking: what a small pod's create and a status update pay for their entries in
managedFields (goals: 25 us and 15 us). Apply: a server-side apply of a Deployment that changes its image, and one that
changes nothing (goal: under 1 ms of CPU).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count

import msgspec

from bench.pods import pod
from bench.serving import report
from kcore.api.apps_v1 import Deployment
from kcore.api.core_v1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    HostIP,
    Namespace,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheme import Scheme
from kcore.registry.codec import StoreCodec
from kcore.registry.defaults.pods import default_pod
from kcore.registry.managed_fields import Managers
from kcore.registry.request import PatchType, Request, User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

CALLS = 2_000
ROUNDS = 5
ADMIN = User("admin", groups=("system:masters",))
NOW = "2026-01-01T00:00:00Z"

CONFIGURATION = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "registry.example/web:{tag}",
                        "ports": [{"containerPort": 80, "name": "http"}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                    }
                ]
            },
        },
    },
}


def _condition(name: str) -> PodCondition:
    return PodCondition(type=name, status="True", last_transition_time=NOW)


def running(address: str) -> PodStatus:
    """What a kubelet writes when a pod has started."""
    return PodStatus(
        phase="Running",
        qos_class="BestEffort",
        start_time=NOW,
        pod_ip=address,
        pod_ips=(PodIP(ip=address),),
        host_ip="10.0.0.1",
        host_ips=(HostIP(ip="10.0.0.1"),),
        conditions=tuple(_condition(name) for name in ("Initialized", "Ready", "ContainersReady")),
        container_statuses=(
            ContainerStatus(
                name="c", ready=True, started=True, state=ContainerState(running=ContainerStateRunning(started_at=NOW))
            ),
        ),
    )


def microseconds(work: Callable[[Pod], None], make: Callable[[int], Pod]) -> float:
    """The best round's time for one call, each on a fresh pod."""
    rounds = []
    for _ in range(ROUNDS):
        pods = [make(i) for i in range(CALLS)]
        start = time.perf_counter()
        for obj in pods:
            work(obj)
        rounds.append((time.perf_counter() - start) / CALLS * 1e6)
    return min(rounds)


def tracking(scheme: Scheme) -> tuple[float, float]:
    kind = scheme.of(Pod)
    created, status = Managers(kind), Managers(kind, "status")

    def new(i: int) -> Pod:
        fresh = msgspec.json.decode(msgspec.json.encode(pod(f"p{i}")), type=Pod)
        default_pod(fresh)
        return fresh

    old = new(0)
    created.create("kubectl", old, NOW)

    def started(i: int) -> Pod:
        return msgspec.structs.replace(new(i), status=running(f"10.244.{i // 256}.{i % 256}"))

    return (
        microseconds(lambda obj: created.create("kubectl", obj, NOW), new),
        microseconds(lambda obj: status.update("kubelet", obj, old, NOW), started),
    )


async def applying(scheme: Scheme) -> tuple[float, float]:
    """Microseconds of CPU for an apply that changes something, and for one that does not."""
    registry = Registry(EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog()), scheme)
    await registry.create(
        Request("create", scheme.of(Namespace), "", "", ADMIN), Namespace(metadata=ObjectMeta(name="ns"))
    )
    body = msgspec.json.encode(CONFIGURATION)

    async def rate(tags: Callable[[], int]) -> float:
        start = time.process_time()
        for _ in range(CALLS):
            request = Request("patch", scheme.of(Deployment), "ns", "web", ADMIN, field_manager="bench")
            await registry.patch(request, PatchType.APPLY, body.replace(b"{tag}", b"%d" % tags()))
        return (time.process_time() - start) / CALLS * 1e6

    tags = count()
    changing = [await rate(lambda: next(tags)) for _ in range(ROUNDS)]
    unchanging = [await rate(lambda: 0) for _ in range(ROUNDS)]
    return min(changing), min(unchanging)


def main() -> None:
    scheme = Scheme()
    create, status = tracking(scheme)
    change, same = asyncio.run(applying(scheme))
    report(
        "apply",
        track_create_us=round(create, 1),
        track_status_us=round(status, 1),
        apply_us=round(change, 1),
        apply_unchanged_us=round(same, 1),
    )


if __name__ == "__main__":
    main()
