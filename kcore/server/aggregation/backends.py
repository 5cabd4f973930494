"""Which groups and versions other servers answer for: a table that follows the stored APIServices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcore.api.apiregistration_v1 import APIService
from kcore.api.kind import GroupVersion
from kcore.api.scheme import Scheme
from kcore.registry.group_priorities import Priority
from kcore.registry.webhook_client import HTTPS, ServiceTarget, Target
from kcore.store.store import Channel, Compacted, EventType, Store

__all__ = ["Backend", "Backends", "backend_of"]


class Backend(NamedTuple):
    """One server for one group and version."""

    version: GroupVersion
    service: ServiceTarget
    ca_bundle: str
    insecure: bool
    priority: Priority
    available: bool

    def target(self, path: str) -> Target:
        """Where a path, still encoded, is answered."""
        return Target(f"https://{self.service.host}:{self.service.port}{path}", self.ca_bundle, self.service)


class Backends:
    """`generation` grows with every change that discovery can show."""

    def __init__(self, store: Store, scheme: Scheme) -> None:
        self.generation = 0
        self._store = store
        self._prefix = scheme.of(APIService).prefix()
        self._found: dict[GroupVersion, Backend] = {}
        self._names: dict[str, GroupVersion] = {}
        self._channel: Channel | None = None

    def follow(self) -> None:
        """Know what stands, and from now on what will."""
        page = self._store.range(self._prefix)
        self._found, self._names = {}, {}
        for record in page.records:
            self._put(record.obj)
        self.generation += 1
        self._channel = self._store.watch(self._prefix, since=page.revision)
        self._channel.on_ready(self._take)

    def __bool__(self) -> bool:
        return bool(self._found)

    def find(self, group: str, version: str) -> Backend | None:
        return self._found.get(GroupVersion(group, version)) if self._found else None

    def all(self) -> Sequence[Backend]:
        return tuple(self._found.values())

    def _take(self) -> None:
        assert self._channel is not None
        try:
            events = self._channel.take_nowait()
        except Compacted:
            self._channel.close()
            self.follow()
            return
        for event in events:
            service: APIService = event.record.obj
            if (standing := self._names.pop(service.metadata.name, None)) is not None:
                del self._found[standing]
                self.generation += 1
            if event.type is not EventType.DELETED:
                self._put(service)

    def _put(self, service: APIService) -> None:
        backend = backend_of(service)
        if backend is not None:
            self._names[service.metadata.name] = backend.version
            self._found[backend.version] = backend
            self.generation += 1


def backend_of(service: APIService) -> Backend | None:
    """None: it is about what is served here."""
    spec = service.spec
    if spec.service is None:
        return None
    return Backend(
        GroupVersion(spec.group, spec.version),
        ServiceTarget(spec.service.namespace, spec.service.name, spec.service.port or HTTPS),
        spec.ca_bundle,
        spec.insecure_skip_tls_verify,
        Priority(spec.group_priority_minimum, spec.version_priority),
        any(c.type == "Available" and c.status == "True" for c in service.status.conditions),
    )
