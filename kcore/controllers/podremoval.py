"""Deletes pods for a controller: all at once, each counted in the expectations and told of in an event."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.core_v1 import Pod
from kcore.api.errors import ApiError, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.events import EventRecorder
from kcore.controllers.expectations import Expectations
from kcore.kit.crowd import for_each

__all__ = ["PodRemoval"]


class PodRemoval:
    """The deletions of one controller. Whoever calls has told the expectations what will go."""

    def __init__(self, client: Client, recorder: EventRecorder, expectations: Expectations) -> None:
        self._client = client
        self._recorder = recorder
        self._expectations = expectations

    async def delete(self, owner: Object, pods: Sequence[Pod]) -> ApiError | None:
        """Delete the pods of an owner; returns the first error, if any. A pod that is gone already is none."""
        errors: list[ApiError] = []
        await for_each(pods, lambda pod: self._delete_one(owner, pod, errors))
        return errors[0] if errors else None

    async def _delete_one(self, owner: Object, pod: Pod, errors: list[ApiError]) -> None:
        metadata = pod.metadata
        options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
        try:
            await self._client.delete(Pod, metadata.name, metadata.namespace, options)
        except ApiError as error:
            self._expectations.deletion_observed(owner.metadata.uid, metadata.uid)
            if not isinstance(error, NotFound):
                self._recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
                errors.append(error)
        else:
            self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata.name}")
