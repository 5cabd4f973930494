"""What the scheduler's cache takes beside the objects of the store: 5,000 nodes and 50,000 pods.

Prints one JSON line: megabytes of resident memory that filling the cache has added, with the common evaluations made.

    python -m bench.scheduler_memory [--nodes N] [--pods N]
"""

from __future__ import annotations

import argparse
import gc
import json

import msgspec
import psutil
from msgspec.structs import replace

from bench.scheduler_perf import basic, node_documents
from kcore.api.core_v1 import Node, Pod
from kcore.kit.clock import Chance
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.pod_info import PodInfo

__all__ = ["main"]

MEGABYTE = 1024 * 1024


def resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def pods(count: int, nodes: int) -> list[Pod]:
    chance, made = Chance(1), []
    for number in range(count):
        pod = msgspec.convert(basic(f"pod-{number}"), Pod)
        metadata = replace(pod.metadata, uid=chance.uid(), labels={"app": f"app-{number % 500}"})
        made.append(replace(pod, metadata=metadata, spec=replace(pod.spec, node_name=f"node-{number % nodes}")))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=50_000)
    options = parser.parse_args()
    nodes = [msgspec.convert(document, Node) for document in node_documents(options.nodes)]
    placed = pods(options.pods, options.nodes)
    PodInfo(placed[0]), NodeColumns()  # what is imported on first use is not the cache's
    before = resident()
    cache = SchedulerCache()
    for node in nodes:
        cache.set_node(node)
    for pod in placed:
        cache.set_pod(pod)
    taken = resident() - before
    statistics = cache.statistics()
    print(
        json.dumps(
            {
                "nodes": statistics.nodes,
                "pods": statistics.pods,
                "megabytes": round(taken / MEGABYTE, 1),
                "bytes_per_pod": round(taken / max(options.pods, 1)),
            }
        )
    )


if __name__ == "__main__":
    main()
