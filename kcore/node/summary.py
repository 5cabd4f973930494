"""The kubelet's summary API (`/stats/summary`): what a node, its pods and their containers use, at one moment.

Everything else that tells of usage (`/metrics`, metrics.k8s.io) is made from the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kcore.api.core_v1 import Pod
from kcore.api.timestamp import format_seconds
from kcore.node.runtime import ContainerUsage, NodeUsage

__all__ = ["summary"]

Tree = dict[str, Any]
_NOTHING = ContainerUsage(0, 0)


def summary(
    node: str, pods: Sequence[Pod], usage: Mapping[str, Mapping[str, ContainerUsage]], whole: NodeUsage, now: float
) -> Tree:
    """`usage`: by pod uid and container name, those that run."""
    return {
        "node": _node(node, whole, now),
        "pods": [_pod(pod, usage[pod.metadata.uid], now) for pod in pods if usage.get(pod.metadata.uid)],
    }


def _node(name: str, whole: NodeUsage, now: float) -> Tree:
    memory = {
        "time": format_seconds(now),
        "availableBytes": whole.memory_available_bytes,
        "usageBytes": whole.memory_bytes,
        "workingSetBytes": whole.memory_bytes,
    }
    tree: Tree = {
        "nodeName": name,
        "startTime": format_seconds(whole.booted_at or now),
        "cpu": _cpu(whole.cpu_nanocores, whole.cpu_nanoseconds, now),
        "memory": memory,
        "rlimit": {"time": format_seconds(now), "curproc": whole.processes},
    }
    if whole.disk_capacity_bytes:
        tree["fs"] = {
            "time": format_seconds(now),
            "availableBytes": whole.disk_available_bytes,
            "capacityBytes": whole.disk_capacity_bytes,
            "usedBytes": whole.disk_bytes,
        }
    return tree


def _pod(pod: Pod, usage: Mapping[str, ContainerUsage], now: float) -> Tree:
    metadata = pod.metadata
    return {
        "podRef": {"name": metadata.name, "namespace": metadata.namespace, "uid": metadata.uid},
        "startTime": pod.status.start_time or metadata.creation_timestamp,
        "containers": [_container(name, used, now) for name, used in usage.items()],
        **_usage(_sum(usage.values()), now),
        "process_stats": {"process_count": sum(used.processes for used in usage.values())},
    }


def _container(name: str, used: ContainerUsage, now: float) -> Tree:
    return {
        "name": name,
        "startTime": format_seconds(used.started_at),
        **_usage(used, now),
        "rootfs": {"time": format_seconds(now), "usedBytes": used.disk_bytes},
        "logs": {"time": format_seconds(now), "usedBytes": used.log_bytes},
    }


def _usage(used: ContainerUsage, now: float) -> Tree:
    memory = {
        "time": format_seconds(now),
        "usageBytes": max(used.memory_bytes, used.resident_bytes),
        "workingSetBytes": used.memory_bytes,
        "rssBytes": used.resident_bytes,
    }
    return {"cpu": _cpu(used.cpu_nanocores, used.cpu_nanoseconds, now), "memory": memory}


def _cpu(nanocores: int, nanoseconds: int, now: float) -> Tree:
    return {"time": format_seconds(now), "usageNanoCores": nanocores, "usageCoreNanoSeconds": nanoseconds}


def _sum(usages: Iterable[ContainerUsage]) -> ContainerUsage:
    total = _NOTHING
    for used in usages:
        total = total._replace(
            cpu_nanocores=total.cpu_nanocores + used.cpu_nanocores,
            memory_bytes=total.memory_bytes + used.memory_bytes,
            cpu_nanoseconds=total.cpu_nanoseconds + used.cpu_nanoseconds,
            resident_bytes=total.resident_bytes + used.resident_bytes,
        )
    return total
