"""The store as one kind sees it: a view of another kind, or one version of a custom kind among others."""

from __future__ import annotations

from kcore.registry.custom.strategy import CustomResourceStrategy
from kcore.registry.custom.versions import VersionStore
from kcore.registry.strategy import Strategy
from kcore.registry.views import ViewStore
from kcore.store.store import Store

__all__ = ["as_seen"]


def as_seen(store: Store, strategy: Strategy) -> Store:
    """What it reads may have to be converted (`registry.converting`)."""
    stored = strategy.stored_kind()
    if stored is None:
        return store
    if isinstance(strategy, CustomResourceStrategy):
        return VersionStore(store, strategy)
    return ViewStore(store, strategy, stored)
