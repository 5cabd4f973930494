"""The status of a pod, as its node reports it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from kcore.api import names
from kcore.api.core_v1 import Container, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid
from kcore.registry.validation.addresses import family_of, validate_ip
from kcore.registry.validation.internal import shown
from kcore.registry.validation.pod_annotations import validate_annotation_update
from kcore.registry.validation.values import check, immutable

__all__ = ["validate_pod_status_update"]

_STATUS = Path("status")
_POD_IPS = _STATUS / "podIPs"
_HOST_IPS = _STATUS / "hostIPs"
_METADATA = Path("metadata")
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_FAMILIES = "may specify no more than one IP for each IP family"
_NON_NEGATIVE = "must be a non-negative integer"
_ENDED = "may not be transitioned to non-terminated state"


def validate_pod_status_update(new: Pod, old: Pod) -> Iterator[FieldError]:
    yield from validate_annotation_update(new, old, _METADATA / "annotations")
    status, before = new.status, old.status
    yield from _validate_conditions(status.conditions, _STATUS / "conditions")
    if status.nominated_node_name and status.nominated_node_name != before.nominated_node_name:
        at = _STATUS / "nominatedNodeName"
        yield from check(at, status.nominated_node_name, names.dns1123_subdomain)
        if old.spec.node_name:
            yield forbidden(at, "may not be set on pods that are already bound to a node")
    if status.observed_generation < 0:
        yield invalid(_STATUS / "observedGeneration", status.observed_generation, _NON_NEGATIVE)
    yield from immutable(_STATUS / "qosClass", status.qos_class, before.qos_class)
    yield from _validate_all_transitions(new, old)
    if status.resource_claim_statuses:
        yield from _validate_claims(new, _STATUS / "resourceClaimStatuses")
    if status.pod_ips != before.pod_ips:
        yield from _validate_addresses(status.pod_ips, before.pod_ips, _POD_IPS)
    if status.host_ips:
        first = status.host_ips[0].ip
        if first != status.host_ip:
            yield invalid(_HOST_IPS @ 0 / "ip", first, "must be equal to `hostIP`")
        if status.host_ips != before.host_ips:
            yield from _validate_addresses(status.host_ips, before.host_ips, _HOST_IPS)
    for name, statuses in _containers(new):
        if any(c.user is not None for c in statuses):
            yield from _validate_users(statuses, _STATUS / name, new.spec)


def _containers(pod: Pod) -> tuple[tuple[str, Sequence[ContainerStatus]], ...]:
    status = pod.status
    return (
        ("containerStatuses", status.container_statuses),
        ("initContainerStatuses", status.init_container_statuses),
        ("ephemeralContainerStatuses", status.ephemeral_container_statuses),
    )


@lru_cache(maxsize=1024)
def _wrong_with(condition: str) -> Sequence[str]:
    """Types of conditions are few."""
    return names.label_key(condition)


def _validate_conditions(conditions: Sequence[PodCondition], path: Path) -> Iterator[FieldError]:
    for i, condition in enumerate(conditions):
        if condition.observed_generation < 0:
            yield invalid(path @ i / "observedGeneration", condition.observed_generation, _NON_NEGATIVE)
        if condition.type not in _SYSTEM_CONDITIONS and (words := _wrong_with(condition.type)):
            for message in words:
                yield invalid(path @ i / "Type", condition.type, message)


def _validate_all_transitions(new: Pod, old: Pod) -> Iterator[FieldError]:
    """A container that ended and is not to be restarted can not come back."""
    spec = old.spec
    lists: tuple[Sequence[Container], ...] = (spec.containers, spec.init_containers, ())
    for (name, statuses), (_, standing), containers in zip(_containers(new), _containers(old), lists, strict=True):
        if not standing or statuses is standing:
            continue
        for i, before in enumerate(standing):
            if before.state.terminated is not None and _is_back(before.name, statuses):
                container = next((c for c in containers if c.name == before.name), None)
                if not (container and _may_restart(container, spec, before.state.terminated.exit_code)):
                    yield forbidden(_STATUS / name @ i / "state", _ENDED)


def _is_back(name: str, statuses: Sequence[ContainerStatus]) -> bool:
    return any(status.name == name and status.state.terminated is None for status in statuses)


def _may_restart(container: Container, spec: PodSpec, exit_code: int) -> bool:
    """The rules of a container come before its policy, and that before the pod's; and one may start all (KEP-5532)."""
    both = (*spec.init_containers, *spec.containers)
    if any(rule.action == "RestartAllContainers" for c in both for rule in c.restart_policy_rules):
        return True
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is not None and (exit_code in codes.values) == (codes.operator == "In"):
            return True
    policy = container.restart_policy or spec.restart_policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _validate_claims(pod: Pod, path: Path) -> Iterator[FieldError]:
    claims = {c.name for c in pod.spec.resource_claims}
    seen: set[str] = set()
    for i, claim in enumerate(pod.status.resource_claim_statuses):
        at = path @ i / "name"
        if claim.name not in claims:
            yield invalid(at, claim.name, "must match the name of an entry in `spec.resourceClaims`")
        if claim.name in seen:
            yield duplicate(at, claim.name)
        seen.add(claim.name)
        if claim.resource_claim_name is not None:
            yield from check(path @ i / "resourceClaimName", claim.resource_claim_name, names.dns1123_subdomain)


def _validate_addresses(
    new: Sequence[PodIP | HostIP], old: Sequence[PodIP | HostIP], path: Path
) -> Iterator[FieldError]:
    standing = [address.ip for address in old]
    for i, address in enumerate(new):
        yield from validate_ip(address.ip, path @ i, standing)
    if len(new) > 1 and (len(new) > 2 or len({family_of(a.ip) for a in new}) < 2):
        yield invalid(path, shown(new), _FAMILIES)


def _validate_users(statuses: Sequence[ContainerStatus], path: Path, spec: PodSpec) -> Iterator[FieldError]:
    """Who a container runs as (KEP-3619)."""
    windows = spec.os is not None and spec.os.name == "windows"
    for i, status in enumerate(statuses):
        user = status.user.linux if status.user is not None else None
        if user is None:
            continue
        at = path @ i / "user" / "linux"
        if windows:
            yield forbidden(at, "cannot be set for a windows pod")
            continue
        yield from check(at / "uid", user.uid, names.user_id)
        yield from check(at / "gid", user.gid, names.group_id)
        for j, group in enumerate(user.supplemental_groups):
            yield from check(at / "supplementalGroups" @ j, group, names.group_id)
