"""Nothing is made that would take a namespace beyond one of its quotas.

The new usage of every quota concerned goes into the very commit that stores the object: both or neither, at one
revision. Between looking at the quotas and that commit nothing is awaited, so creates that come at once are charged
one after the other. What is deleted is given back by the ResourceQuota controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from kcore.api import core_v1, quantity
from kcore.api.core_v1 import PersistentVolumeClaim, Pod, ResourceQuotaStatus, Service
from kcore.api.kind import Kind
from kcore.api.pod_resources import add_resources
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.quota.scopes import is_about
from kcore.registry.quota.usage import is_counted, tracked_resources, unspecified_resources, usage_of
from kcore.registry.request import Request
from kcore.store.store import Put

__all__ = ["QuotaFailure", "ResourceQuota", "charged"]

# Whose usage an update may change.
_CHANGING = ((Pod, "resize"), (Service, ""), (PersistentVolumeClaim, ""))


class QuotaFailure(Exception):
    """Why an object may not be; the message is the sentence after `is forbidden:`."""


class ResourceQuota(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if operation is Operation.UPDATE:
            return (kind.type, subresource) in _CHANGING
        return operation is Operation.CREATE and not subresource and is_counted(kind)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        req.charges = ()  # those of an earlier try
        store = self.env.store
        records = [store.head(r.key) for r in store.range(f"resourcequotas/{req.namespace}/").records]
        standing = [r for r in records if r is not None]
        if not standing:
            return
        quotas: Sequence[core_v1.ResourceQuota] = [r.obj for r in standing]
        try:
            usages = charged(quotas, req.kind, obj, old, self.env.clock.now())
        except QuotaFailure as failure:
            raise forbidden(req, obj, str(failure)) from None
        req.charges = tuple(
            Put(record.key, _with_usage(record.obj, used), record.revision)
            for record, used in zip(standing, usages, strict=True)
            if used is not None
        )


def _with_usage(quota: core_v1.ResourceQuota, used: Mapping[str, str]) -> core_v1.ResourceQuota:
    status = ResourceQuotaStatus(hard=quota.status.hard, used=used)
    return replace(quota, metadata=replace(quota.metadata), status=status)


def charged(
    quotas: Sequence[core_v1.ResourceQuota], kind: Kind, obj: Any, old: Any, now: float
) -> Sequence[Mapping[str, str] | None]:
    """The new usage of each quota once `obj` is stored (None: as before). Raises QuotaFailure."""
    usages: list[Mapping[str, str] | None] = [None] * len(quotas)
    concerned = [(i, quota) for i, quota in enumerate(quotas) if is_about(quota, kind, obj)]
    for _, quota in concerned:
        _check_specified(quota, kind, obj)
    if not concerned:
        return usages
    delta = usage_of(kind, obj, now)
    if negative := sorted(name for name, amount in delta.items() if amount.startswith("-")):
        raise QuotaFailure(f"quota usage is negative for resource(s): {','.join(negative)}")
    if old is not None:
        delta = _difference(delta, usage_of(kind, old, now))
    delta = {name: amount for name, amount in delta.items() if quantity.parse(amount).nanos}
    for i, quota in concerned:
        requested = {name: amount for name, amount in delta.items() if name in quota.status.hard}
        if requested:
            usages[i] = _charge(quota, requested)
    return usages


def _check_specified(quota: core_v1.ResourceQuota, kind: Kind, obj: Any) -> None:
    """A quota on what containers may use wants to be told; and one that knows no usage yet can not judge."""
    hard = tracked_resources(kind, quota.status.hard)
    if isinstance(obj, Pod) and (missing := unspecified_resources(obj.spec, hard)):
        words = "; ".join(f"{resource} for: {','.join(containers)}" for resource, containers in missing.items())
        raise QuotaFailure(f"failed quota: {quota.metadata.name}: must specify {words}")
    if unknown := sorted(hard - quota.status.used.keys()):
        raise QuotaFailure(f"status unknown for quota: {quota.metadata.name}, resources: {','.join(unknown)}")


def _difference(new: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    difference = {name: quantity.subtract(amount, old.get(name, "0")) for name, amount in new.items()}
    return difference | {name: quantity.subtract("0", amount) for name, amount in old.items() if name not in new}


def _charge(quota: core_v1.ResourceQuota, requested: Mapping[str, str]) -> Mapping[str, str]:
    status = quota.status
    used = add_resources(status.used, requested)
    exceeded = sorted(name for name in requested if quantity.compare(used[name], status.hard[name]) > 0)
    if exceeded:
        raise QuotaFailure(
            f"exceeded quota: {quota.metadata.name}, requested: {_listed(requested, exceeded)}, "
            f"used: {_listed(status.used, exceeded)}, limited: {_listed(status.hard, exceeded)}"
        )
    return used


def _listed(amounts: Mapping[str, str], names: Sequence[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)
