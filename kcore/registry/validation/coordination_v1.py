"""Rules of Leases."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.coordination_v1 import Lease
from kcore.api.field import FieldError, Path, invalid, not_supported, required
from kcore.api.names import label_key
from kcore.registry.validation.values import check, non_negative

__all__ = ["validate_lease"]

_SPEC = Path("spec")
_STRATEGIES = ("OldestEmulationVersion",)


def validate_lease(lease: Lease) -> Iterator[FieldError]:
    spec = lease.spec
    if spec.lease_duration_seconds is not None and spec.lease_duration_seconds <= 0:
        yield invalid(_SPEC / "leaseDurationSeconds", spec.lease_duration_seconds, "must be greater than 0")
    if spec.lease_transitions is not None:
        yield from non_negative(_SPEC / "leaseTransitions", spec.lease_transitions)
    if spec.strategy is not None:
        yield from _validate_strategy(spec.strategy, _SPEC / "strategy")
    if spec.preferred_holder and not spec.strategy:
        yield invalid(
            _SPEC / "preferredHolder", spec.preferred_holder, "may only be specified if `strategy` is defined"
        )


def _validate_strategy(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    elif "/" in name:
        yield from check(path, name, label_key)
    elif name not in _STRATEGIES:
        yield not_supported(path, name, _STRATEGIES)
