"""Rules of Nodes and Namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.core_v1 import Namespace, Node, Taint
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.names import label_key, label_value
from kcore.registry.validation.addresses import family_of, network_advice, validate_cidr
from kcore.registry.validation.internal import shown
from kcore.registry.validation.resources import validate_resource_quantity
from kcore.registry.validation.values import check

__all__ = [
    "node_warnings",
    "validate_namespace",
    "validate_namespace_finalize",
    "validate_namespace_status",
    "validate_node",
    "validate_node_status",
    "validate_node_update",
]

_SPEC = Path("spec")
_STATUS = Path("status")
_TAINTS = Path("metadata") / "taints"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def validate_node(node: Node) -> Iterator[FieldError]:
    yield from _validate_taints(node.spec.taints)
    yield from _validate_resources(node)
    yield from _validate_pod_cidrs(node.spec.pod_cidrs)


def _validate_taints(taints: tuple[Taint, ...]) -> Iterator[FieldError]:
    """The path names the annotation that taints once lived in."""
    for i, taint in enumerate(taints):
        path = _TAINTS @ i
        yield from check(path / "key", taint.key, label_key)
        messages = label_value(taint.value)
        if messages:
            yield invalid(path / "value", taint.value, ";".join(messages))
        if not taint.effect:
            yield required(path / "effect")
        elif taint.effect not in _EFFECTS:
            yield not_supported(path / "effect", taint.effect, _EFFECTS)
        if any((t.key, t.effect) == (taint.key, taint.effect) for t in taints[:i]):
            yield duplicate(path, shown(taint))._replace(detail="taints must be unique by key and effect pair")


def _validate_resources(node: Node) -> Iterator[FieldError]:
    for field, resources in (("capacity", node.status.capacity), ("allocatable", node.status.allocatable)):
        for name, value in sorted(resources.items()):
            yield from validate_resource_quantity(name, _STATUS / field / name, value)


def _validate_pod_cidrs(cidrs: tuple[str, ...]) -> Iterator[FieldError]:
    path = _SPEC / "podCIDRs"
    for i, cidr in enumerate(cidrs):
        yield from validate_cidr(cidr, path @ i)
    if len(cidrs) > 1:
        families = {family_of(cidr.partition("/")[0]) for cidr in cidrs}
        if len(cidrs) > 2 or len(families) < 2:
            yield invalid(path, cidrs, "may specify no more than one CIDR for each IP family")


def validate_node_update(new: Node, old: Node) -> Iterator[FieldError]:
    """Upstream looks at the whole as at a new one, and once more as at a changed one."""
    yield from validate_node(new)
    yield from validate_node_status(new, old)
    yield from _validate_pod_cidrs_update(new.spec.pod_cidrs, old.spec.pod_cidrs)
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        yield forbidden(_SPEC / "providerID", 'node updates may not change providerID except from "" to valid')
    yield from _validate_taints(new.spec.taints)
    if new.spec.external_id != old.spec.external_id:
        yield forbidden(_SPEC / "externalID", "may not be updated")


def _validate_pod_cidrs_update(new: tuple[str, ...], old: tuple[str, ...]) -> Iterator[FieldError]:
    """One error for each that differs, all of the same field."""
    if not old:
        return
    changes = sum(a != b for a, b in zip(new, old, strict=True)) if len(new) == len(old) else 1
    for _ in range(changes):
        yield forbidden(_SPEC / "podCIDRs", 'node updates may not change podCIDR except from "" to valid')


def node_warnings(new: Node, old: Node | None) -> Iterator[str]:
    if new.spec.config_source is not None:
        yield "spec.configSource: the feature is removed"
    if new.spec.external_id:
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"
    for i, cidr in enumerate(new.spec.pod_cidrs):
        yield from network_advice(cidr, _SPEC / "podCIDRs" @ i)


def validate_node_status(new: Node, old: Node) -> Iterator[FieldError]:
    yield from _validate_resources(new)
    addresses = new.status.addresses
    for i, address in enumerate(addresses):
        if address in addresses[:i]:
            yield duplicate(_STATUS / "addresses" @ i, shown(address))


def validate_namespace(namespace: Namespace) -> Iterator[FieldError]:
    for finalizer in namespace.spec.finalizers:
        yield from _validate_finalizer(finalizer, _SPEC / "finalizers")


def validate_namespace_finalize(namespace: Namespace) -> Iterator[FieldError]:
    for i, finalizer in enumerate(namespace.spec.finalizers):
        yield from _validate_finalizer(finalizer, _SPEC / "finalizers" @ i)


def _validate_finalizer(finalizer: str, path: Path) -> Iterator[FieldError]:
    yield from check(path, finalizer, label_key)
    if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
        yield invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")


def validate_namespace_status(new: Namespace, old: Namespace) -> Iterator[FieldError]:
    path = _STATUS / "Phase"
    if new.metadata.deletion_timestamp is None:
        if new.status.phase != "Active":
            yield invalid(path, new.status.phase, "may only be 'Active' if `deletionTimestamp` is empty")
    elif new.status.phase != "Terminating":
        yield invalid(path, new.status.phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
