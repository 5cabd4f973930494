"""The parts of a control plane as `kubectl get componentstatuses` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kcore.api.core_v1 import ComponentCondition, ComponentStatus
from kcore.api.meta_v1 import ObjectMeta

__all__ = ["component_statuses"]


def component_statuses(here: Mapping[str, bool]) -> Iterable[ComponentStatus]:
    """Whether each part runs in this process. Of those that do not, nobody here knows how they are."""
    return [_status(name, running) for name, running in here.items()]


def _status(name: str, running: bool) -> ComponentStatus:
    if running:
        condition = ComponentCondition(type="Healthy", status="True", message="ok")
    else:
        condition = ComponentCondition(type="Healthy", status="Unknown", error="not a part of this process")
    return ComponentStatus(metadata=ObjectMeta(name=name), conditions=(condition,))
