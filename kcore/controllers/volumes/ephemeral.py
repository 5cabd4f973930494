"""Ephemeral volumes: a claim for each that a pod brings along, which the pod owns and takes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import PersistentVolumeClaim, Pod, Volume
from kcore.api.errors import AlreadyExists, ApiError
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.pod_claims import BY_CLAIM, claims_of, ephemeral_claim
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, controller_of
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.pods import is_active

__all__ = ["EphemeralVolumeController"]


class EphemeralVolumeController(Controller):
    name = "ephemeral-volume-controller"
    root = Pod

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder("ephemeral_volume")
        self._kind = context.client.scheme.of(Pod)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_CLAIM, claims_of)
        self._claims = context.informers.of(PersistentVolumeClaim)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: _pod_changed, PersistentVolumeClaim: self._claim_changed}

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
        """One that is gone may be missed."""
        if old is not None and new is None:
            yield from map(key_of, self._pods.by_index(BY_CLAIM, key_of(old)))

    async def reconcile(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None or not is_active(pod):
            return
        for volume in pod.spec.volumes:
            if volume.ephemeral is not None:
                await self._ensure(pod, volume)

    async def _ensure(self, pod: Pod, volume: Volume) -> None:
        claim = self._claim(pod, volume)
        standing = self._claims.get(key_of(claim))
        try:
            if standing is None:
                await self._client.create(claim)
        except AlreadyExists:
            return
        except ApiError as error:
            self._tell(pod, volume, error.message)
            raise
        if standing is not None and not _is_of(standing, pod):
            name = claim.metadata.name
            self._tell(pod, volume, f"PVC {key_of(claim)} was not created for pod {key_of(pod)} (pod is not owner)")
            raise AlreadyExists(f"claim {name} is not of its pod")

    def _tell(self, pod: Pod, volume: Volume, why: str) -> None:
        self._recorder.event(pod, "Warning", "FailedBinding", f'ephemeral volume "{volume.name}": {why}')

    def _claim(self, pod: Pod, volume: Volume) -> PersistentVolumeClaim:
        assert volume.ephemeral is not None
        template = volume.ephemeral.volume_claim_template
        assert template is not None, "validation lets no pod pass without"
        metadata = ObjectMeta(
            name=ephemeral_claim(pod, volume),
            namespace=pod.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            owner_references=(controller_reference(pod, self._kind),),
        )
        return PersistentVolumeClaim(metadata=metadata, spec=template.spec)


def _is_of(claim: PersistentVolumeClaim, pod: Pod) -> bool:
    owner = controller_of(claim.metadata)
    return owner is not None and owner.uid == pod.metadata.uid


def _pod_changed(old: Pod | None, new: Pod | None) -> Iterator[str]:
    """A new pod: what volumes it has never changes."""
    if old is None and new is not None and any(volume.ephemeral is not None for volume in new.spec.volumes):
        yield key_of(new)
