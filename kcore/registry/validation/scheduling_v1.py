"""Rules of PriorityClasses and RuntimeClasses: what pods refer to by name."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.core_v1 import ResourceRequirements
from kcore.api.field import FieldError, Path, duplicate, forbidden, not_supported, required
from kcore.api.names import dns1123_label
from kcore.api.node_v1 import RuntimeClass
from kcore.api.scheduling_v1 import PriorityClass
from kcore.registry.validation.affinity import validate_tolerations
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.resources import validate_requirements
from kcore.registry.validation.values import check, immutable

__all__ = [
    "validate_priority_class",
    "validate_priority_class_update",
    "validate_runtime_class",
    "validate_runtime_class_update",
]

_PRIORITY_MAX = 1_000_000_000
_SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_PREEMPTION = ("PreemptLowerPriority", "Never")


def validate_priority_class(priority: PriorityClass) -> Iterator[FieldError]:
    name = priority.metadata.name
    if name.startswith("system-"):
        problem = _system_problem(priority)
        if problem:
            message = "priority class names with 'system-' prefix are reserved for system use only. error: "
            yield forbidden(Path("metadata") / "name", message + problem)
    elif priority.value > _PRIORITY_MAX:
        yield forbidden(Path("value"), f"maximum allowed value of a user defined priority is {_PRIORITY_MAX}")
    if priority.preemption_policy == "":
        yield required(Path("preemptionPolicy"))
    elif priority.preemption_policy is not None and priority.preemption_policy not in _PREEMPTION:
        yield not_supported(Path("preemptionPolicy"), priority.preemption_policy, _PREEMPTION)


def _system_problem(priority: PriorityClass) -> str:
    name = priority.metadata.name
    if name not in _SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if priority.value != _SYSTEM_CLASSES[name]:
        return f"value of {name} PriorityClass must be {_SYSTEM_CLASSES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if priority.global_default else ""


def validate_priority_class_update(new: PriorityClass, old: PriorityClass) -> Iterator[FieldError]:
    if new.value != old.value:
        yield forbidden(Path("value"), "may not be changed in an update.")
    yield from immutable(Path("preemptionPolicy"), new.preemption_policy, old.preemption_policy)


def validate_runtime_class(runtime: RuntimeClass) -> Iterator[FieldError]:
    if not runtime.handler:
        yield required(Path("handler"))
    else:
        yield from check(Path("handler"), runtime.handler, dns1123_label)
    if runtime.overhead is not None:
        yield from validate_requirements(ResourceRequirements(limits=runtime.overhead.pod_fixed), Path("overhead"), ())
    if runtime.scheduling is not None:
        path = Path("scheduling")
        yield from validate_labels(runtime.scheduling.node_selector, path / "nodeSelector")
        tolerations = runtime.scheduling.tolerations
        yield from validate_tolerations(tolerations, path / "tolerations")
        for i, toleration in enumerate(tolerations):
            if toleration in tolerations[:i]:
                yield duplicate(path / "tolerations" @ i, shown(toleration))


def validate_runtime_class_update(new: RuntimeClass, old: RuntimeClass) -> Iterator[FieldError]:
    yield from immutable(Path("handler"), new.handler, old.handler)
