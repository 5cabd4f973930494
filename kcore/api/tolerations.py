"""Taints keep pods away from nodes; tolerations let them come, or stay, all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcore.api.core_v1 import Taint, Toleration

__all__ = ["tolerated", "tolerates", "untolerated"]


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    operator = toleration.operator
    if operator in ("", "Equal"):
        return toleration.value == taint.value
    return operator == "Exists"


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Whether one of the tolerations covers the taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)


def untolerated(
    taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str] = ("NoSchedule", "NoExecute")
) -> bool:
    """Whether one of the taints (of those `effects`) keeps a pod away."""
    return any(taint.effect in effects and not tolerated(taint, tolerations) for taint in taints)
