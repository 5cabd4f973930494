"""The numbers of one ResourceQuota, read once and then carried along: creates come by the thousand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import Pod, ResourceQuota, ResourceQuotaStatus
from kcore.api.kind import Kind
from kcore.api.quantity import ParsedQuantity
from kcore.registry.quota.scopes import in_scope
from kcore.registry.quota.usage import tracked_resources, unspecified_resources

__all__ = ["Ledger", "QuotaFailure"]


_SHAPES_MAX = 1024


class QuotaFailure(Exception):
    """Why an object may not be; the message is the sentence after `is forbidden:`."""


class Ledger:
    """A quota, what its status limits, and how much of that is used."""

    __slots__ = ("_hard", "_scoped", "_specified", "_tracked", "_used", "quota")

    def __init__(self, quota: ResourceQuota) -> None:
        self.quota = quota
        self._hard = {name: quantity.parse(amount).nanos for name, amount in quota.status.hard.items()}
        self._used = {name: quantity.parse(amount) for name, amount in quota.status.used.items()}
        self._scoped = bool(quota.spec.scopes) or quota.spec.scope_selector is not None
        self._tracked: dict[Kind, frozenset[str]] = {}
        self._specified: set[bytes] = set()

    def is_about(self, kind: Kind, obj: Any) -> bool:
        """Whether an object counts against the quota, which does so only once its hard limits are in its status."""
        return bool(self._tracks(kind)) and (not self._scoped or in_scope(self.quota, obj))

    def _tracks(self, kind: Kind) -> frozenset[str]:
        found = self._tracked.get(kind)
        if found is None:
            found = self._tracked[kind] = frozenset(tracked_resources(kind, self._hard))
        return found

    def check_specified(self, kind: Kind, obj: Any, shape: bytes | None) -> None:
        """A quota on what containers may use wants to be told; and one that knows no usage yet can not judge."""
        if shape in self._specified:
            return
        hard, name = self._tracks(kind), self.quota.metadata.name
        if isinstance(obj, Pod) and (missing := unspecified_resources(obj.spec, hard)):
            words = "; ".join(f"{resource} for: {','.join(containers)}" for resource, containers in missing.items())
            raise QuotaFailure(f"failed quota: {name}: must specify {words}")
        if hard - self._used.keys():
            raise QuotaFailure(f"status unknown for quota: {name}, resources: {','.join(sorted(hard))}")
        if shape is not None:
            if len(self._specified) >= _SHAPES_MAX:
                self._specified.clear()
            self._specified.add(shape)

    def charge(self, delta: Mapping[str, str]) -> Ledger | None:
        """The ledger once so much more is used; None: the quota limits nothing of it. Raises QuotaFailure."""
        hard, used = self._hard, self._used
        after: dict[str, ParsedQuantity] = {}
        exceeded = []
        for name, amount in delta.items():
            limit = hard.get(name)
            if limit is None or not (more := quantity.parse(amount)).nanos:
                continue
            after[name] = total = quantity.total(used[name], more)
            if total.nanos > limit:
                exceeded.append(name)
        if exceeded:
            raise self._exceeded(sorted(exceeded), delta)
        return self._with(after) if after else None

    def _with(self, changed: Mapping[str, ParsedQuantity]) -> Ledger:
        """What was read of the limits stays read."""
        charged, quota = Ledger.__new__(Ledger), self.quota
        used = dict(quota.status.used)
        for name, amount in changed.items():
            used[name] = amount.text
        status = ResourceQuotaStatus(hard=quota.status.hard, used=used)
        charged.quota = replace(quota, metadata=replace(quota.metadata), status=status)
        charged._hard, charged._scoped = self._hard, self._scoped
        charged._tracked, charged._specified = self._tracked, self._specified
        charged._used = {**self._used, **changed}
        return charged

    def _exceeded(self, names: Iterable[str], delta: Mapping[str, str]) -> QuotaFailure:
        status = self.quota.status

        def listed(amounts: Mapping[str, str]) -> str:
            return ",".join(f"{name}={amounts[name]}" for name in names)

        what = f"requested: {listed(delta)}, used: {listed(status.used)}, limited: {listed(status.hard)}"
        return QuotaFailure(f"exceeded quota: {self.quota.metadata.name}, {what}")
