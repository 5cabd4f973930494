"""The static pods of a node: what should run, how it fares, and the mirrors by which the API server shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, PodStatus
from kcore.api.errors import AlreadyExists, ApiError, NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta, OwnerReference, Preconditions
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.informer import key_of
from kcore.kit.clock import Clock
from kcore.node.sources.manifests import CONFIG_HASH, MIRROR

__all__ = ["StaticPods", "is_mirror"]

log = structlog.get_logger(__name__)


def is_mirror(pod: Pod) -> bool:
    return MIRROR in pod.metadata.annotations


class StaticPods:
    """Pods by key, as the caches call them. One whose manifest has changed ends before its successor begins."""

    def __init__(self, client: Client, clock: Clock, on_change: Callable[[str], None]) -> None:
        self._client = client
        self._clock = clock
        self._on_change = on_change
        self._current: dict[str, Pod] = {}
        self._next: dict[str, Pod] = {}
        self._sources: dict[str, Sequence[Pod]] = {}
        self.complete = True
        """Whether every source has been read once: mirrors of what is not here are orphans then."""

    def __contains__(self, key: str) -> bool:
        return key in self._current

    def get(self, key: str) -> Pod | None:
        return self._current.get(key)

    def values(self) -> Sequence[Pod]:
        return list(self._current.values())

    def take(self, source: str, pods: Sequence[Pod]) -> None:
        """All that a source wants to run, in place of what it wanted before."""
        before = self._sources.get(source, ())
        self._sources[source] = pods
        wanted = {key_of(pod): pod for given in self._sources.values() for pod in given}
        for key in {key_of(pod) for pod in (*before, *pods)}:
            self._want(key, wanted.get(key))
            self._on_change(key)

    def set_status(self, key: str, status: PodStatus) -> None:
        self._current[key] = replace(self._current[key], status=status)

    def ended(self, key: str) -> None:
        """Nothing of a pod that was to go is left: its successor may begin."""
        del self._current[key]
        if key in self._next:
            self._current[key] = self._next.pop(key)
        self._on_change(key)

    async def show(self, key: str, mirror: Pod | None, node: Node | None) -> bool:
        """Have the API server hold a mirror of a pod, with its status. `mirror`: what it holds under that name.

        False: it did not take it. A static pod does not need the API server; whoever looks there sees the mirror later.
        """
        pod = self._current.get(key)
        try:
            if mirror is not None and (pod is None or not self._mirrors(mirror, pod)):
                await self._remove(mirror)
                mirror = None
            if pod is None or pod.metadata.deletion_timestamp is not None:
                return True
            if mirror is None:
                if node is None:
                    return False  # a mirror goes with its node
                mirror = await self._client.create(_mirror_of(pod, node))
            status = replace(pod.status, qos_class=mirror.status.qos_class)
            if status != mirror.status:
                await self._client.update(replace(mirror, status=status), subresource="status")
        except (AlreadyExists, NotFound):
            return True  # the cache will tell, and bring us back
        except ApiError as error:
            log.warning("mirror pod not written", pod=key, why=error.message)
            return False
        return True

    def _want(self, key: str, pod: Pod | None) -> None:
        current = self._current.get(key)
        if current is None:
            if pod is not None:
                self._current[key] = pod
            return
        if pod is not None and pod.metadata.uid == current.metadata.uid:
            if current.metadata.deletion_timestamp is not None:
                self._next[key] = pod
            return
        self._next.pop(key, None)
        if pod is not None:
            self._next[key] = pod
        if current.metadata.deletion_timestamp is None:
            self._current[key] = self._ending(current)

    def _ending(self, pod: Pod) -> Pod:
        grace = pod.spec.termination_grace_period_seconds or 0
        by = format_seconds(self._clock.now() + grace)
        metadata = replace(pod.metadata, deletion_timestamp=by, deletion_grace_period_seconds=max(grace, 1))
        return replace(pod, metadata=metadata)

    def _mirrors(self, mirror: Pod, pod: Pod) -> bool:
        same = mirror.metadata.annotations.get(MIRROR) == pod.metadata.annotations[CONFIG_HASH]
        return same and mirror.metadata.deletion_timestamp is None

    async def _remove(self, mirror: Pod) -> None:
        metadata = mirror.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
        await self._client.delete(Pod, metadata.name, metadata.namespace, options)


def _mirror_of(pod: Pod, node: Node) -> Pod:
    given = pod.metadata
    annotations = {**given.annotations, MIRROR: given.annotations[CONFIG_HASH]}
    owner = OwnerReference(
        api_version="v1", kind="Node", name=node.metadata.name, uid=node.metadata.uid, controller=True
    )
    metadata = ObjectMeta(
        name=given.name,
        namespace=given.namespace,
        labels=given.labels,
        annotations=annotations,
        owner_references=(owner,),
    )
    return Pod(metadata=metadata, spec=pod.spec)
