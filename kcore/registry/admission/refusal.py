"""A refusal whose code and reason are somebody else's to say: a webhook's, or a policy's rule's."""

from __future__ import annotations

from kcore.api.errors import ApiError
from kcore.api.meta_v1 import Status

__all__ = ["Refusal"]


class Refusal(ApiError):
    def __init__(self, status: Status) -> None:
        super().__init__(status.message, status.details, reason=status.reason)
        self._status = status

    @property
    def status(self) -> Status:
        return self._status
