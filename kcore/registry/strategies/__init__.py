"""Which kinds have rules of their own: one module for each API group, one Strategy subclass for each kind."""

from __future__ import annotations

from kcore.registry.strategies import core_v1, services
from kcore.registry.strategy import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: tuple[type[Strategy], ...] = (
    *core_v1.STRATEGIES,
    *services.STRATEGIES,
)
