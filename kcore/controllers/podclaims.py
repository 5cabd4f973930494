"""The claims of a StatefulSet's pods: made before their pod, kept or collected as the retention policy says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from kcore.api.apps_v1 import StatefulSet
from kcore.api.core_v1 import PersistentVolumeClaim, Pod
from kcore.api.errors import AlreadyExists, ApiError, Conflict
from kcore.api.meta_v1 import OwnerReference
from kcore.api.object import Object
from kcore.client.events import EventRecorder
from kcore.client.informer import key_of
from kcore.client.runner import MapFunction
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.identity import claims_of, ordinal_of
from kcore.controllers.retention import is_contested, is_left_over, retained

__all__ = ["PodClaims"]


class PodClaims:
    """A part of the StatefulSet controller."""

    def __init__(self, context: Context, recorder: EventRecorder) -> None:
        self._client = context.client
        self._recorder = recorder
        self._set_kind = self._client.scheme.of(StatefulSet)
        self._pod_kind = self._client.scheme.of(Pod)
        self._claims = context.informers.of(PersistentVolumeClaim)

    def maps(self, owners: Callable[[str], Iterable[StatefulSet]]) -> Mapping[type[Object], MapFunction]:
        """A claim that is gone may be one that a pod has waited for. `owners` are the sets of a namespace."""

        def claim_changed(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
            if old is not None and new is None:
                yield from map(key_of, owners(old.metadata.namespace))

        return {PersistentVolumeClaim: claim_changed}

    def are_right(self, owner: StatefulSet, pod: Pod) -> bool:
        """Whether all are there and have the owners that they should have."""
        return len(self._existing(owner, pod)) == len(owner.spec.volume_claim_templates) and not any(
            self._retained(claim, owner, pod, False) is not claim for claim in self._existing(owner, pod)
        )

    def wait_to_go(self, owner: StatefulSet, pod: Pod) -> bool:
        """Whether claims of an earlier pod of this name are still to be collected."""
        return any(is_left_over(claim, owner, pod.metadata.name) for claim in self._existing(owner, pod))

    async def ensure(self, owner: StatefulSet, pod: Pod) -> None:
        """Make those that are missing. A claim that is being deleted keeps its pod waiting."""
        for claim in claims_of(owner, ordinal_of(pod)):
            standing = self._claims.get(key_of(claim))
            if standing is None:
                await self._create(owner, pod, claim)
            elif standing.metadata.deletion_timestamp is not None:
                raise Conflict(f"pvc {claim.metadata.name} is being deleted")

    async def _create(self, owner: StatefulSet, pod: Pod, claim: PersistentVolumeClaim) -> None:
        names = claim.metadata.name, pod.metadata.name, owner.metadata.name
        try:
            await self._client.create(claim)
        except AlreadyExists:
            return  # only the cache does not show it yet
        except ApiError as error:
            message = "create Claim {} for Pod {} in StatefulSet {} failed error: {}".format(*names, error.message)
            self._recorder.event(owner, "Warning", "FailedCreate", message)
            raise
        message = "create Claim {} Pod {} in StatefulSet {} success".format(*names)
        self._recorder.event(owner, "Normal", "SuccessfulCreate", message)

    async def retain(self, owner: StatefulSet, pod: Pod, *, condemned: bool) -> None:
        """Give the claims the owners that the retention policy says, now that the pod is there or is to go."""
        for claim in self._existing(owner, pod):
            changed = self._retained(claim, owner, pod, condemned)
            if changed is claim:
                continue
            if is_contested(claim, *self._references(owner, pod)):
                message = (
                    f"PersistentVolumeClaim {claim.metadata.name} has a conflicting OwnerReference that acts as a "
                    "managing controller, the retention policy is ignored for this claim"
                )
                self._recorder.event(owner, "Warning", "ConflictingController", message)
            await self._client.update(changed)

    def _existing(self, owner: StatefulSet, pod: Pod) -> list[PersistentVolumeClaim]:
        found = (self._claims.get(key_of(claim)) for claim in claims_of(owner, ordinal_of(pod)))
        return [claim for claim in found if claim is not None]

    def _retained(
        self, claim: PersistentVolumeClaim, owner: StatefulSet, pod: Pod, condemned: bool
    ) -> PersistentVolumeClaim:
        return retained(claim, owner, *self._references(owner, pod), condemned)

    def _references(self, owner: StatefulSet, pod: Pod) -> tuple[OwnerReference, OwnerReference]:
        return controller_reference(owner, self._set_kind), controller_reference(pod, self._pod_kind)
