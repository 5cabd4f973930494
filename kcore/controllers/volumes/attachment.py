"""Attaches volumes of CSI drivers to the nodes whose pods use them, and detaches them when no pod does any more.

What should be is a VolumeAttachment for each node that a volume is used on; a driver's attacher, whoever runs it, does
the work and reports in its status. A node is told in `status.volumesAttached`, and says in `volumesInUse` what it has
mounted still: that is not taken from it, unless it is out of service or has been silent for too long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import AttachedVolume, Node, PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.pod_claims import BY_CLAIM, claims_of
from kcore.api.storage_v1 import CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.controllers.nodes import is_out_of_service, is_ready
from kcore.controllers.pods import is_finished

__all__ = ["AttachDetachController"]

BY_VOLUME = "attachments by volume"
LONGEST_WAIT = 360.0
"""How long an unhealthy node may keep a volume that no pod of it uses."""
SHAREABLE = {"ReadWriteMany", "ReadOnlyMany"}


class AttachDetachController(Controller):
    """Keys are names of volumes."""

    name = "persistentvolume-attach-detach-controller"
    root = PersistentVolume

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.events.recorder("attachdetach-controller")
        self._volumes = context.informers.of(PersistentVolume)
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._drivers = context.informers.of(CSIDriver)
        self._nodes = context.informers.of(Node)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_CLAIM, claims_of)
        self._attachments = context.informers.of(VolumeAttachment)
        self._attachments.add_index(BY_VOLUME, _volume_of)
        self._unused_since: dict[str, float] = {}
        self._own: set[str] = set()
        """Attachments of this controller. Those that somebody else made are left to them."""

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {
            PersistentVolume: _volume_changed,
            PersistentVolumeClaim: _claim_changed,
            Pod: self._pod_changed,
            VolumeAttachment: _attachment_changed,
            Node: self._node_changed,
        }

    def reads(self) -> Iterable[type[Object]]:
        return (CSIDriver,)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        pod = new if new is not None else old
        assert pod is not None
        if not pod.spec.node_name or (old is not None and new is not None and _needs(old) == _needs(new)):
            return
        for key in claims_of(pod):
            claim = self._claims.get(key)
            if claim is not None and claim.spec.volume_name:
                yield claim.spec.volume_name

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        if old is not None and new is not None and _bearing(old) == _bearing(new):
            return
        node = new if new is not None else old
        assert node is not None
        for attachment in self._attachments.values():
            if attachment.spec.node_name == node.metadata.name:
                yield from _volume_of(attachment)

    async def reconcile(self, key: str) -> Result | None:
        volume = self._volumes.get(key)
        standing = {a.spec.node_name: a for a in self._attachments.by_index(BY_VOLUME, key) if self._is_own(a, volume)}
        users = self._users(volume) if volume is not None else {}
        for name in users:
            self._unused_since.pop(_attachment_name(volume, name) if volume is not None else "", None)
        waits = [await self._detach(standing[name]) for name in standing if name not in users]
        if volume is not None:
            for name, pods in users.items():
                await self._attach(volume, name, pods, standing)
        left = min((wait for wait in waits if wait is not None), default=None)
        return Result(left) if left is not None else None

    def _is_own(self, attachment: VolumeAttachment, volume: PersistentVolume | None) -> bool:
        """Whether it is called as only this controller calls them; remembered for when the volume is gone."""
        name = attachment.metadata.name
        if volume is not None and volume.spec.csi is not None:
            if name != _attachment_name(volume, attachment.spec.node_name):
                return False
            self._own.add(name)
        return name in self._own

    def _users(self, volume: PersistentVolume) -> dict[str, list[Pod]]:
        """The pods that use a volume which must be attached, by the node they are on."""
        ref, csi = volume.spec.claim_ref, volume.spec.csi
        if ref is None or csi is None or not self._must_be_attached(csi.driver):
            return {}
        users: dict[str, list[Pod]] = {}
        for pod in self._pods.by_index(BY_CLAIM, f"{ref.namespace}/{ref.name}"):
            node = self._nodes.get(pod.spec.node_name) if pod.spec.node_name else None
            if node is not None and not is_finished(pod):
                users.setdefault(node.metadata.name, []).append(pod)
        return users

    def _must_be_attached(self, driver: str) -> bool:
        found = self._drivers.get(driver)
        return found is None or found.spec.attach_required is not False

    async def _attach(
        self, volume: PersistentVolume, node: str, pods: list[Pod], standing: Mapping[str, VolumeAttachment]
    ) -> None:
        name, attachment = volume.metadata.name, standing.get(node)
        if attachment is None:
            if not SHAREABLE & set(volume.spec.access_modes) and standing:
                self._tell(pods, "Warning", "FailedAttachVolume", _multi_attach(name))
                return
            await self._create(volume, node)
        elif attachment.status.attached:
            if await self._list(node, volume, attached=True):
                message = f'AttachVolume.Attach succeeded for volume "{name}" '
                self._tell(pods, "Normal", "SuccessfulAttachVolume", message)
        elif attachment.status.attach_error is not None:
            message = f'AttachVolume.Attach failed for volume "{name}" : {attachment.status.attach_error.message}'
            self._tell(pods, "Warning", "FailedAttachVolume", message)

    async def _create(self, volume: PersistentVolume, node: str) -> None:
        assert volume.spec.csi is not None
        source = VolumeAttachmentSource(persistent_volume_name=volume.metadata.name)
        spec = VolumeAttachmentSpec(attacher=volume.spec.csi.driver, node_name=node, source=source)
        try:
            await self._client.create(
                VolumeAttachment(metadata=ObjectMeta(name=_attachment_name(volume, node)), spec=spec)
            )
        except AlreadyExists:
            return

    async def _detach(self, attachment: VolumeAttachment) -> float | None:
        """Take a volume off a node; returns for how many seconds the node may still keep it."""
        metadata, now = attachment.metadata, self._clock.now()
        if metadata.deletion_timestamp is not None:
            return None
        node = self._nodes.get(attachment.spec.node_name)
        volume = self._volumes.get(attachment.spec.source.persistent_volume_name or "")
        if node is not None and volume is not None:
            since = self._unused_since.setdefault(metadata.name, now)
            if _unique_name(volume) in node.status.volumes_in_use and not is_out_of_service(node):
                left = since + LONGEST_WAIT - now
                if left > 0 or is_ready(node):
                    return max(left, 1.0)
            await self._list(node.metadata.name, volume, attached=False)
        self._unused_since.pop(metadata.name, None)
        self._own.discard(metadata.name)
        try:
            await self._client.delete(VolumeAttachment, metadata.name)
        except NotFound:
            return None
        return None

    async def _list(self, name: str, volume: PersistentVolume, *, attached: bool) -> bool:
        """Have the node's status show whether the volume is attached; whether it did not."""
        node, unique = self._nodes.get(name), _unique_name(volume)
        if node is None or any(a.name == unique for a in node.status.volumes_attached) is attached:
            return False
        others = tuple(a for a in node.status.volumes_attached if a.name != unique)
        shown = (*others, AttachedVolume(name=unique)) if attached else others
        await self._client.update(
            replace(node, status=replace(node.status, volumes_attached=shown)), subresource="status"
        )
        return True

    def _tell(self, pods: Iterable[Pod], type_: str, reason: str, message: str) -> None:
        for pod in pods:
            self._recorder.event(pod, type_, reason, message)


def _multi_attach(name: str) -> str:
    why = "Volume is already exclusively attached to one node and can't be attached to another"
    return f'Multi-Attach error for volume "{name}" {why}'


def _attachment_name(volume: PersistentVolume, node: str) -> str:
    """The name that every attacher expects (upstream's `getAttachmentName`)."""
    csi = volume.spec.csi
    assert csi is not None
    return f"csi-{hashlib.sha256(f'{csi.volume_handle}{csi.driver}{node}'.encode()).hexdigest()}"


def _unique_name(volume: PersistentVolume) -> str:
    csi = volume.spec.csi
    return f"kubernetes.io/csi/{csi.driver}^{csi.volume_handle}" if csi is not None else ""


def _needs(pod: Pod) -> object:
    return pod.spec.node_name, is_finished(pod)


def _bearing(node: Node) -> object:
    """What of a node decides on whether it may keep a volume."""
    return node.status.volumes_in_use, is_ready(node), is_out_of_service(node)


def _volume_of(attachment: VolumeAttachment) -> Iterator[str]:
    if attachment.spec.source.persistent_volume_name:
        yield attachment.spec.source.persistent_volume_name


def _volume_changed(old: PersistentVolume | None, new: PersistentVolume | None) -> Iterator[str]:
    volume = new if new is not None else old
    assert volume is not None
    if volume.spec.csi is not None:
        yield volume.metadata.name


def _claim_changed(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
    if new is not None and new.spec.volume_name and (old is None or not old.spec.volume_name):
        yield new.spec.volume_name


def _attachment_changed(old: VolumeAttachment | None, new: VolumeAttachment | None) -> Iterator[str]:
    attachment = new if new is not None else old
    assert attachment is not None
    yield from _volume_of(attachment)
