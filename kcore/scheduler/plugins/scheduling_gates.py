"""Pods with `spec.schedulingGates` do not enter the queue (KEP-3521)."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.api.core_v1 import Pod
from kcore.scheduler.framework import ClusterEvent, Hint, Status, unresolvable

__all__ = ["SchedulingGates"]


class SchedulingGates:
    name = "SchedulingGates"

    def pre_enqueue(self, pod: Pod) -> Status | None:
        gates = [gate.name for gate in pod.spec.scheduling_gates]
        return unresolvable(f"waiting for scheduling gates: [{' '.join(gates)}]") if gates else None

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.POD_GATES: None}
