"""HorizontalPodAutoscalers, in both versions: v1 keeps the rules of what it is stored as."""

from __future__ import annotations

from kcore.api import autoscaling_v1
from kcore.api.autoscaling_v2 import HorizontalPodAutoscaler
from kcore.registry.autoscaler_views import as_v1, as_v2
from kcore.registry.defaults.autoscaling import (
    default_horizontal_pod_autoscaler,
    default_horizontal_pod_autoscaler_v1,
)
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.autoscalers import (
    validate_autoscaler,
    validate_autoscaler_status,
    validate_autoscaler_update,
)

__all__ = ["STRATEGIES"]


class AutoscalerStrategy(Ruled):
    type = HorizontalPodAutoscaler
    rules = Rules(
        default_horizontal_pod_autoscaler, validate_autoscaler, validate_autoscaler_update, validate_autoscaler_status
    )


class AutoscalerV1Strategy(Ruled):
    type = autoscaling_v1.HorizontalPodAutoscaler
    stored_as = HorizontalPodAutoscaler
    rules = Rules(
        default_horizontal_pod_autoscaler_v1,
        lambda new: validate_autoscaler(as_v2(new)),
        lambda new, old: validate_autoscaler_update(as_v2(new), as_v2(old)),
        lambda new, old: validate_autoscaler_status(as_v2(new), as_v2(old)),
    )

    def to_stored(self, obj: autoscaling_v1.HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
        return as_v2(obj)

    def from_stored(self, obj: HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
        return as_v1(obj)


STRATEGIES = (AutoscalerStrategy, AutoscalerV1Strategy)
