"""The folders of pods: made before the first container, kept up to date, removed with the pod.

FOLDER/pods/UID/volumes/kubernetes.io~configmap/NAME/...     laid out as a kubelet does
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from anyio.to_thread import run_sync

from kcore.api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from kcore.api.core_v1 import HostPathVolumeSource, Pod, ServiceAccount, ServiceAccountTokenProjection, Volume
from kcore.api.errors import ApiError
from kcore.api.quantity import int_value
from kcore.client.client import Client
from kcore.kit.clock import Clock
from kcore.node.downward import PodAddresses
from kcore.node.references import References
from kcore.node.volumes.atomic import write_atomically
from kcore.node.volumes.contents import PodFacts, VolumeError, contents, token_projections

__all__ = ["VolumeManager"]

TOKEN_SECONDS = 3600
RENEW_AT = 0.8
LONGEST_TOKEN_USE = 24 * 3600.0
SHARED_MEMORY = Path("/dev/shm")
HAS_SHARED_MEMORY = SHARED_MEMORY.is_dir()
_PLUGINS = (
    ("config_map", "configmap"),
    ("secret", "secret"),
    ("downward_api", "downward-api"),
    ("projected", "projected"),
    ("empty_dir", "empty-dir"),
)
_HOST_TYPES: Mapping[str, tuple[str, Callable[[int], bool]]] = {
    "Directory": ("directory", stat.S_ISDIR),
    "DirectoryOrCreate": ("directory", stat.S_ISDIR),
    "File": ("file", stat.S_ISREG),
    "FileOrCreate": ("file", stat.S_ISREG),
    "Socket": ("socket", stat.S_ISSOCK),
    "CharDevice": ("character device", stat.S_ISCHR),
    "BlockDevice": ("block device", stat.S_ISBLK),
}


class VolumeManager:
    """Makes volumes. Whatever cannot be had raises VolumeError, and may be asked for again."""

    def __init__(self, client: Client, references: References, clock: Clock, folder: Path) -> None:
        self._client = client
        self._references = references
        self._clock = clock
        self._folder = folder
        self._tokens: dict[str, dict[tuple[str, str], tuple[str, float]]] = {}

    async def prepare(self, pod: Pod, addresses: PodAddresses) -> Mapping[str, Path]:
        """Have all volumes of a pod ready but images, with what they should hold now. Gives their folders by name."""
        folders = {}
        for volume in pod.spec.volumes:
            if volume.image is not None:
                continue  # pulled when a container needs it
            try:
                folders[volume.name] = await self._prepare(pod, volume, addresses)
            except (VolumeError, OSError) as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error
        return folders

    def renewal_due(self, uid: str) -> bool:
        """Whether a token of a pod has come of age."""
        now = self._clock.now()
        return any(now >= due for _, due in self._tokens.get(uid, {}).values())

    async def overrun(self, pod: Pod) -> str:
        """Which emptyDir of a pod holds more than its limit, as an eviction tells it; empty: none does."""
        for volume in pod.spec.volumes:
            source = volume.empty_dir
            if source is None or source.size_limit is None:
                continue
            used = await run_sync(_size, self._empty_dir(pod, volume))
            if used > int_value(source.size_limit):
                return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{source.size_limit}". '
        return ""

    def _empty_dir(self, pod: Pod, volume: Volume) -> Path:
        uid = pod.metadata.uid
        if volume.empty_dir is not None and volume.empty_dir.medium == "Memory" and HAS_SHARED_MEMORY:
            return SHARED_MEMORY / f"kcore-{uid}-{volume.name}"
        return self._folder / "pods" / uid / "volumes" / "kubernetes.io~empty-dir" / volume.name

    async def remove(self, uid: str) -> None:
        """Remove all that is a pod's own. What hostPath and claims lead to stays."""
        self._tokens.pop(uid, None)

        def remove() -> None:
            shutil.rmtree(self._folder / "pods" / uid, ignore_errors=True)
            for path in SHARED_MEMORY.glob(f"kcore-{uid}-*"):
                shutil.rmtree(path, ignore_errors=True)

        await run_sync(remove)

    async def _prepare(self, pod: Pod, volume: Volume, addresses: PodAddresses) -> Path:
        group = pod.spec.security_context.fs_group if pod.spec.security_context is not None else None
        if (host_path := volume.host_path) is not None:
            return await run_sync(_host_path, host_path)
        if volume.persistent_volume_claim is not None or volume.ephemeral is not None:
            path = await run_sync(_existing, self._claimed(pod, volume))
            if group is not None:
                await run_sync(_give_to_group, path, group)
            return path
        plugin = next((name for field, name in _PLUGINS if getattr(volume, field) is not None), "")
        if not plugin:
            raise VolumeError("volumes of this type cannot be mounted by kcore")
        folder = self._folder / "pods" / pod.metadata.uid / "volumes" / f"kubernetes.io~{plugin}" / volume.name
        if volume.empty_dir is not None:
            target = self._empty_dir(pod, volume)
            await run_sync(_empty_dir, target, group)
            return target
        await self._fill(pod, volume, addresses, folder, group)
        return folder

    async def _fill(self, pod: Pod, volume: Volume, addresses: PodAddresses, folder: Path, group: int | None) -> None:
        tokens = {
            (volume.name, projection.path): await self._token(pod, volume.name, projection)
            for projection in token_projections(volume)
        }
        facts = PodFacts(addresses, self._references.allocatable(pod), tokens)
        files = contents(pod, volume, self._references, facts)
        assert files is not None
        await run_sync(write_atomically, folder, files, group)

    async def _token(self, pod: Pod, volume: str, projection: ServiceAccountTokenProjection) -> str:
        """The token for a projection: the one that is there until four fifths of its life, or a day, are over."""
        metadata, now = pod.metadata, self._clock.now()
        key = (volume, projection.path)
        token, due = self._tokens.get(metadata.uid, {}).get(key, ("", 0.0))
        if now < due:
            return token
        seconds = projection.expiration_seconds or TOKEN_SECONDS
        bound = BoundObjectReference(api_version="v1", kind="Pod", name=metadata.name, uid=metadata.uid)
        audiences = (projection.audience,) if projection.audience else ()
        spec = TokenRequestSpec(audiences=audiences, bound_object_ref=bound, expiration_seconds=seconds)
        account = pod.spec.service_account_name or "default"
        try:
            answer: TokenRequest = await self._client.create_subresource(
                ServiceAccount, account, metadata.namespace, "token", TokenRequest(spec=spec)
            )
        except ApiError as error:
            raise VolumeError(f"failed to fetch token: {error.message}") from error
        token = answer.status.token
        due = now + min(seconds * RENEW_AT, LONGEST_TOKEN_USE)
        self._tokens.setdefault(metadata.uid, {})[key] = (token, due)
        return token

    def _claimed(self, pod: Pod, volume: Volume) -> Path:
        """Where the volume is that a pod's claim is bound to."""
        source = volume.persistent_volume_claim
        name = source.claim_name if source is not None else f"{pod.metadata.name}-{volume.name}"
        claim = self._references.claim(pod.metadata.namespace, name)
        if claim is None:
            raise VolumeError(f'persistentvolumeclaim "{name}" not found')
        found = self._references.volume(claim.spec.volume_name) if claim.spec.volume_name else None
        if found is None or claim.status.phase != "Bound":
            raise VolumeError(f'persistentvolumeclaim "{name}" is not bound yet')
        if found.spec.host_path is not None:
            return Path(found.spec.host_path.path)
        if found.spec.local is not None:
            return Path(found.spec.local.path)
        raise VolumeError(f'persistent volume "{found.metadata.name}" is neither hostPath nor local')


def _existing(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _empty_dir(folder: Path, group: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    if group is not None:
        _give_to_group(folder, group)


def _size(folder: Path) -> int:
    """Bytes on disk of all that is in a folder; what goes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def _give_to_group(folder: Path, group: int) -> None:
    """Let a group read and write all that is there and will be made."""
    if os.geteuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        os.chown(path, -1, group)
        mode = path.stat().st_mode
        path.chmod((mode | 0o2770 if path.is_dir() else mode | 0o660) & 0o7777)


def _host_path(source: HostPathVolumeSource) -> Path:
    """A path of this machine, if it is what its type says."""
    path, kind = Path(source.path), source.type or ""
    if kind == "DirectoryOrCreate" and not path.exists():
        path.mkdir(mode=0o755, parents=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    if kind:
        name, is_right = _HOST_TYPES[kind]
        if not path.exists() or not is_right(path.stat().st_mode):
            raise VolumeError(f"hostPath type check failed: {path} is not a {name}")
    elif not path.exists():
        path.mkdir(mode=0o755, parents=True)
    return path
