"""`--max-requests-inflight` and its siblings."""

from __future__ import annotations

from dataclasses import dataclass

from kcore.api.scheme import Scheme
from kcore.server.limits.fairness import Fairness
from kcore.server.limits.max_inflight import MaxInflight
from kcore.server.limits.seat import Limits
from kcore.store.store import Store

__all__ = ["LimitOptions"]


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """One field for each flag of upstream's API server, by its name."""

    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    enable_priority_and_fairness: bool = True
    request_timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.request_timeout <= 0:
            raise ValueError("--request-timeout must be more than 0")
        if self.enable_priority_and_fairness and self.seats <= 0:
            raise ValueError("--max-requests-inflight and --max-mutating-requests-inflight must not both be 0")

    @property
    def seats(self) -> int:
        """With fairness it is their sum that counts."""
        return self.max_requests_inflight + self.max_mutating_requests_inflight

    def limits(self, store: Store, scheme: Scheme) -> Limits:
        if self.enable_priority_and_fairness:
            return Fairness(store, scheme, self.seats, self.request_timeout / 4)
        return MaxInflight(self.max_requests_inflight, self.max_mutating_requests_inflight)
