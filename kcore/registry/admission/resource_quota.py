"""Nothing is made that would take a namespace beyond one of its quotas.

The new usage of every quota concerned goes into the very commit that stores the object: both or neither, at one
revision. Between looking at the quotas and that commit nothing is awaited, so creates that come at once are charged
one after the other. What is deleted is given back by the ResourceQuota controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import quantity
from kcore.api.core_v1 import PersistentVolumeClaim, Pod, Service
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.mirror import Mirror
from kcore.registry.quota.ledger import Ledger, QuotaFailure
from kcore.registry.quota.usage import is_counted, usage_of
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies
from kcore.store.store import Put, Record

__all__ = ["ResourceQuota"]

# Whose usage an update may change.
_CHANGING = ((Pod, "resize"), (Service, ""), (PersistentVolumeClaim, ""))
_LEDGERS_MAX = _USAGES_MAX = 1024


class ResourceQuota(Plugin):
    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self._ledgers: dict[str, Ledger] = {}
        self._usages: dict[tuple[Kind, bytes | None], Mapping[str, str]] = {}
        self._all = Mirror(env.store, "resourcequotas/")

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if operation is Operation.UPDATE:
            return (kind.type, subresource) in _CHANGING
        return operation is Operation.CREATE and not subresource and is_counted(kind)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        req.charges = ()  # those of an earlier try
        if self._all.stale:
            self._all.follow()
        if not self._all.records:
            return
        store = self.env.store
        records = [store.head(r.key) for r in store.range(f"resourcequotas/{req.namespace}/").records]
        standing = [r for r in records if r is not None]
        if not standing:
            return
        ledgers = [self._ledger(record) for record in standing]
        try:
            after = self._charged(ledgers, req, obj, old)
        except QuotaFailure as failure:
            raise forbidden(req, obj, str(failure)) from None
        req.charges = tuple(
            self._charge(record, ledger) for record, ledger in zip(standing, after, strict=True) if ledger is not None
        )

    def _charged(self, ledgers: Sequence[Ledger], req: Request, obj: Any, old: Any) -> Sequence[Ledger | None]:
        """The ledger of each quota once `obj` is stored (None: it stays). Raises QuotaFailure."""
        kind, shape = req.kind, req.shape if old is None else None
        concerned = [ledger if ledger.is_about(kind, obj) else None for ledger in ledgers]
        for ledger in concerned:
            if ledger is not None:
                ledger.check_specified(kind, obj, shape)
        if not any(concerned):
            return concerned
        more = self._usages.get((kind, shape))
        if more is None:
            more = _more(kind, obj, old, self.env.clock.now())
            if shape is not None:
                self._remember((kind, shape), more)
        return [ledger.charge(more) if ledger is not None else None for ledger in concerned]

    def _remember(self, key: tuple[Kind, bytes | None], usage: Mapping[str, str]) -> None:
        """A new pod uses what its spec says, as others of the same shape do."""
        if len(self._usages) >= _USAGES_MAX:
            self._usages.clear()
        self._usages[key] = usage

    def _ledger(self, record: Record) -> Ledger:
        """The one that was kept, if the quota is still that very object."""
        kept = self._ledgers.get(record.key)
        if kept is None or kept.quota is not record.obj:
            kept = self._ledgers[record.key] = Ledger(record.obj)
            if len(self._ledgers) > _LEDGERS_MAX:
                del self._ledgers[next(iter(self._ledgers))]
        return kept

    def _charge(self, record: Record, ledger: Ledger) -> Put:
        """What is committed becomes the quota: should it not be, the ledger of it is found to be another's."""
        self._ledgers[record.key] = ledger
        return Put(record.key, ledger.quota, record.revision)


def _more(kind: Kind, obj: Any, old: Any, now: float) -> Mapping[str, str]:
    """What is used beyond what was. Raises QuotaFailure."""
    usage = usage_of(kind, obj, now)
    if negative := sorted(name for name, amount in usage.items() if amount.startswith("-")):
        raise QuotaFailure(f"quota usage is negative for resource(s): {','.join(negative)}")
    return usage if old is None else _difference(usage, usage_of(kind, old, now))


def _difference(new: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    difference = {name: quantity.subtract(amount, old.get(name, "0")) for name, amount in new.items()}
    return difference | {name: quantity.subtract("0", amount) for name, amount in old.items() if name not in new}
