"""Which kinds have rules of their own: one module for each API group, one Strategy subclass for each kind."""

from __future__ import annotations

from kcore.registry.strategies import (
    admissionregistration_v1,
    apiextensions_v1,
    apps_v1,
    autoscaling,
    batch_v1,
    cluster,
    core_v1,
    flowcontrol_v1,
    networking_v1,
    pods,
    policy_v1,
    rbac_v1,
    resource_v1,
    services,
    storage_v1,
)
from kcore.registry.strategy import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: tuple[type[Strategy], ...] = (
    *core_v1.STRATEGIES,
    *pods.STRATEGIES,
    *services.STRATEGIES,
    *apps_v1.STRATEGIES,
    *batch_v1.STRATEGIES,
    *autoscaling.STRATEGIES,
    *policy_v1.STRATEGIES,
    *networking_v1.STRATEGIES,
    *rbac_v1.STRATEGIES,
    *storage_v1.STRATEGIES,
    *cluster.STRATEGIES,
    *flowcontrol_v1.STRATEGIES,
    *admissionregistration_v1.STRATEGIES,
    *apiextensions_v1.STRATEGIES,
    *resource_v1.STRATEGIES,
)
