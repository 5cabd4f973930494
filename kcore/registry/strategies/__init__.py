"""Which kinds have rules of their own: one module for each API group, one Strategy subclass for each kind."""

from __future__ import annotations

from kcore.registry.strategies import apps_v1, core_v1, pods, services
from kcore.registry.strategy import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: tuple[type[Strategy], ...] = (
    *apps_v1.STRATEGIES,
    *core_v1.STRATEGIES,
    *pods.STRATEGIES,
    *services.STRATEGIES,
    *networking_v1.STRATEGIES,
    *rbac_v1.STRATEGIES,
    *storage_v1.STRATEGIES,
    *cluster.STRATEGIES,
)
