"""Volumes with the reclaim policy Recycle: a pod wipes them, on whatever node it lands, and they are free again.

Only folders of nodes (hostPath) can be wiped so. The policy is deprecated: provisioners make new volumes instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from kcore.api.core_v1 import Container, PersistentVolume, Pod, PodSpec, Volume, VolumeMount
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Client
from kcore.client.informer import Informer
from kcore.client.removal import delete_exactly

__all__ = ["Recycler", "recycled_by"]

NAMESPACE = "default"
PREFIX = "recycler-for-"
SECONDS = 3600
IMAGE = "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6"
_WIPE = 'rm -rf /scrub/..?* /scrub/.[!.]* /scrub/* && test -z "$(ls -A /scrub)"'


class Recycler:
    def __init__(self, client: Client, pods: Informer[Pod]) -> None:
        self._client = client
        self._pods = pods

    async def recycle(self, volume: PersistentVolume) -> str | None:
        """Go on with it; None: it is under way, "": done, else what went wrong."""
        pod = self._pods.get(f"{NAMESPACE}/{PREFIX}{volume.metadata.name}")
        if pod is None:
            await self._begin(volume)
            return None
        if pod.status.phase not in ("Succeeded", "Failed") or pod.metadata.deletion_timestamp is not None:
            return None
        await delete_exactly(self._client, pod)
        return "" if pod.status.phase == "Succeeded" else pod.status.message or "the recycler pod failed"

    async def _begin(self, volume: PersistentVolume) -> None:
        """Asked of the server: the cache may show a volume that was wiped already, and is somebody else's by now."""
        found = await self._client.get(PersistentVolume, volume.metadata.name)
        if found.metadata.resource_version != volume.metadata.resource_version:
            return
        with suppress(AlreadyExists):
            await self._client.create(_pod(volume))


def recycled_by(pod: Pod) -> Iterator[str]:
    """The volume that a pod wipes."""
    metadata = pod.metadata
    if metadata.namespace == NAMESPACE and metadata.name.startswith(PREFIX):
        yield metadata.name.removeprefix(PREFIX)


def _pod(volume: PersistentVolume) -> Pod:
    container = Container(
        name="pv-recycler",
        image=IMAGE,
        command=("/bin/sh",),
        args=("-c", _WIPE),
        volume_mounts=(VolumeMount(name="vol", mount_path="/scrub"),),
    )
    return Pod(
        # Where containers only pretend, this one ends all the same.
        metadata=ObjectMeta(
            name=f"{PREFIX}{volume.metadata.name}", namespace=NAMESPACE, annotations={"kcore.dev/run-seconds": "1"}
        ),
        spec=PodSpec(
            containers=(container,),
            restart_policy="Never",
            active_deadline_seconds=SECONDS,
            volumes=(Volume(name="vol", host_path=volume.spec.host_path),),
        ),
    )
