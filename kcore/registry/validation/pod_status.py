"""The status of a pod, as its node reports it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from kcore.api import names
from kcore.api.core_v1 import ContainerStatus, Pod, PodCondition
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid
from kcore.registry.validation.addresses import family_of, validate_ip
from kcore.registry.validation.pod_annotations import validate_annotation_update
from kcore.registry.validation.values import check, immutable

__all__ = ["validate_pod_status_update"]

_STATUS = Path("status")
_POD_IPS = _STATUS / "podIPs"
_HOST_IPS = _STATUS / "hostIPs"
_METADATA = Path("metadata")
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_FAMILIES = "may specify no more than one IP for each IP family"


def validate_pod_status_update(new: Pod, old: Pod) -> Iterator[FieldError]:
    yield from validate_annotation_update(new, old, _METADATA / "annotations")
    yield from _validate_conditions(new.status.conditions, _METADATA / "conditions")
    status, before = new.status, old.status
    if status.nominated_node_name and status.nominated_node_name != before.nominated_node_name:
        yield from check(_STATUS / "nominatedNodeName", status.nominated_node_name, names.dns1123_subdomain)
    yield from immutable(_STATUS / "qosClass", status.qos_class, before.qos_class)
    policy = old.spec.restart_policy
    sidecars = {c.name for c in old.spec.init_containers if c.restart_policy == "Always"}
    for name, statuses, standing, restarts, exempt in (
        ("containerStatuses", status.container_statuses, before.container_statuses, policy, set()),
        ("initContainerStatuses", status.init_container_statuses, before.init_container_statuses, policy, sidecars),
        (
            "ephemeralContainerStatuses",
            status.ephemeral_container_statuses,
            before.ephemeral_container_statuses,
            "Never",
            set(),
        ),
    ):
        if standing and statuses is not standing:
            yield from _validate_transitions(statuses, standing, _STATUS / name, restarts, exempt)
    claims = {c.name for c in new.spec.resource_claims}
    for i, claim in enumerate(status.resource_claim_statuses):
        at = _STATUS / "resourceClaimStatuses" @ i / "name"
        if claim.name not in claims:
            yield invalid(at, claim.name, "must match the name of an entry in `spec.resourceClaims`")
    if status.pod_ips != before.pod_ips:
        yield from _validate_addresses([p.ip for p in status.pod_ips], status.pod_ips, _POD_IPS)
    if status.host_ips:
        first = status.host_ips[0].ip
        if first != status.host_ip:
            yield invalid(_HOST_IPS @ 0 / "ip", first, "must be equal to `hostIP`")
        yield from _validate_addresses([h.ip for h in status.host_ips], status.host_ips, _HOST_IPS)


@lru_cache(maxsize=1024)
def _wrong_with(condition: str) -> Sequence[str]:
    """Types of conditions are few."""
    return names.label_key(condition)


def _validate_conditions(conditions: Sequence[PodCondition], path: Path) -> Iterator[FieldError]:
    for i, condition in enumerate(conditions):
        if condition.type not in _SYSTEM_CONDITIONS and (words := _wrong_with(condition.type)):
            for message in words:
                yield invalid(path @ i / "Type", condition.type, message)


def _validate_transitions(
    new: Sequence[ContainerStatus],
    old: Sequence[ContainerStatus],
    path: Path,
    restart_policy: str,
    exempt: set[str],
) -> Iterator[FieldError]:
    """A container that ended and is not to be restarted can not come back."""
    if restart_policy == "Always":
        return
    for i, before in enumerate(old):
        ended = before.state.terminated
        if ended is None or before.name in exempt or (ended.exit_code != 0 and restart_policy == "OnFailure"):
            continue
        for after in new:
            if after.name == before.name and after.state.terminated is None:
                yield forbidden(path @ i / "state", "may not be transitioned to non-terminated state")


def _validate_addresses(addresses: Sequence[str], shown: object, path: Path) -> Iterator[FieldError]:
    for i, address in enumerate(addresses):
        yield from validate_ip(address, path @ i)
    if len(addresses) > 1:
        families = [family_of(a) for a in addresses]
        if len(addresses) > 2 or len(set(families)) < 2:
            yield invalid(path, shown, _FAMILIES)
        for i, address in enumerate(addresses):
            if address in addresses[:i]:
                yield duplicate(path @ i, {"ip": address})
