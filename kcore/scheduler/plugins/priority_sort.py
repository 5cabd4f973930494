"""Pods of higher priority first; among equals the one that came first."""

from __future__ import annotations

from kcore.scheduler.pod_info import PodInfo

__all__ = ["PrioritySort"]


class PrioritySort:
    name = "PrioritySort"

    def sort_key(self, pod: PodInfo, since: float) -> tuple[int, float]:
        return (-pod.priority, since)
