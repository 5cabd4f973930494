"""A pod may keep others off its node, not off its zone: whoever could would shut out everybody else."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Pod
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["LimitPodHardAntiAffinityTopology"]

_HOST = "kubernetes.io/hostname"


class LimitPodHardAntiAffinityTopology(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation in (Operation.CREATE, Operation.UPDATE) and not subresource

    def validate(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        affinity = obj.spec.affinity
        if affinity is None or affinity.pod_anti_affinity is None:
            return
        for term in affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution:
            if term.topology_key != _HOST:
                rule = "affinity.PodAntiAffinity.RequiredDuringScheduling"
                why = f"{rule} has TopologyKey {term.topology_key} but only key {_HOST} is allowed"
                raise forbidden(req, obj, why)
