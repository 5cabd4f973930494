"""A pod's priority is a number computed from the name of a PriorityClass; at most one class is the default."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Pod
from kcore.api.errors import Forbidden
from kcore.api.kind import Kind
from kcore.api.scheduling_v1 import PriorityClass
from kcore.api.schema import assign, fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.mirror import Mirror
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

__all__ = ["SYSTEM_CLASSES", "Priority"]

_PREFIX = "priorityclasses.scheduling.k8s.io/"

SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes that exist from the start, and even where their objects were deleted."""


class Priority(Plugin):
    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self._default: PriorityClass | None = None
        self._classes = Mirror(env.store, _PREFIX)

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if subresource:
            return False
        if kind.type is Pod:
            return operation in (Operation.CREATE, Operation.UPDATE)
        return kind.type is PriorityClass and operation in (Operation.CREATE, Operation.UPDATE)

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if not isinstance(obj, Pod):
            return
        if operation is Operation.UPDATE:
            _keep(obj, old)
        else:
            self._compute(req, obj)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        """Only one class may be the global default."""
        if not isinstance(obj, PriorityClass) or not obj.global_default:
            return
        standing = self._default_class()
        if standing is not None and standing.metadata.name != obj.metadata.name:
            why = f"PriorityClass {standing.metadata.name} is already marked as default. Only one default can exist"
            raise Forbidden.of(req.kind, obj.metadata.name, why)

    def _compute(self, req: Request, pod: Pod) -> None:
        name, value, policy = self._class_of(req, pod)
        spec = pod.spec
        if spec.priority is not None and spec.priority != value:
            why = (
                f"the integer value of priority ({spec.priority}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
            raise Forbidden.of(req.kind, pod.metadata.name, why)
        if spec.preemption_policy is not None and spec.preemption_policy != policy:
            why = (
                f"the string value of PreemptionPolicy ({spec.preemption_policy}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
            raise Forbidden.of(req.kind, pod.metadata.name, why)
        assign(spec, "priority_class_name", name)
        assign(spec, "priority", value)
        assign(spec, "preemption_policy", policy)

    def _class_of(self, req: Request, pod: Pod) -> tuple[str, int, str]:
        """Name, value and preemption policy of the class that a pod asks for, or gets by default."""
        name = pod.spec.priority_class_name
        if name:
            record = self.env.store.head(_PREFIX + name)
            found: PriorityClass | None = record.obj if record else None
            if found is None and name in SYSTEM_CLASSES:
                return name, SYSTEM_CLASSES[name], "PreemptLowerPriority"
            if found is None:
                raise Forbidden.of(req.kind, pod.metadata.name, f"no PriorityClass with name {name} was found")
        else:
            found = self._default_class()
        if found is None:
            return "", 0, "PreemptLowerPriority"
        return found.metadata.name, found.value, found.preemption_policy or "PreemptLowerPriority"

    def _default_class(self) -> PriorityClass | None:
        """The class marked as default; looked for anew where classes have changed."""
        if self._classes.stale:
            self._classes.follow()
            self._default = self._find_default()
        return self._default

    def _find_default(self) -> PriorityClass | None:
        """The lowest, should there be several."""
        classes = [r.obj for r in self._classes.records.values() if r.obj.global_default]
        return min(classes, key=lambda c: (c.value, c.metadata.name), default=None)


def _keep(pod: Pod, old: Pod) -> None:
    """An update that leaves the computed fields out keeps them."""
    if pod.spec.priority is None:
        fill(pod.spec, priority=old.spec.priority)
    if pod.spec.preemption_policy is None:
        fill(pod.spec, preemption_policy=old.spec.preemption_policy)
