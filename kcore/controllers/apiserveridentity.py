"""Every API server shows that it lives by a Lease (KEP-1965); of those that died, others delete it in time.

The server's own affair, like its Service `kubernetes`: a controller manager elsewhere does not run it.
"""

from __future__ import annotations

import base64
import hashlib

import anyio
import structlog
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.errors import ApiError, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_micro, parse
from kcore.client.client import Client
from kcore.kit.clock import Chance, Clock

__all__ = ["ApiServerIdentity", "lease_name"]

NAMESPACE = "kube-system"
LABEL = "apiserver.kubernetes.io/identity"
COMPONENT = "kube-apiserver"
RENEW_SECONDS = 10.0
LEASE_SECONDS = 3600

log = structlog.get_logger(__name__)


def lease_name(hostname: str) -> str:
    digest = hashlib.sha256(hostname.encode()).digest()[:16]
    return f"apiserver-{base64.b32encode(digest).decode().rstrip('=').lower()}"


class ApiServerIdentity:
    """Keeps the lease of the server on `hostname`, and deletes those whose time is up."""

    def __init__(self, client: Client, clock: Clock, chance: Chance, hostname: str) -> None:
        self._client = client
        self._clock = clock
        self._hostname = hostname
        self._name = lease_name(hostname)
        self._holder = f"{self._name}_{chance.uid()}"

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        clean_up = self._clock.now()
        while True:
            try:
                await self._renew()
                if self._clock.now() >= clean_up:
                    await self._clean_up()
                    clean_up = self._clock.now() + LEASE_SECONDS
            except ApiError as error:  # the next time will do
                log.warning("identity lease not renewed", why=error.message)
            await anyio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        now = format_micro(self._clock.now())
        spec = LeaseSpec(holder_identity=self._holder, lease_duration_seconds=LEASE_SECONDS, renew_time=now)
        try:
            lease = await self._client.get(Lease, self._name, NAMESPACE)
        except NotFound:
            labels = {LABEL: COMPONENT, "kubernetes.io/hostname": self._hostname}
            metadata = ObjectMeta(name=self._name, namespace=NAMESPACE, labels=labels)
            await self._client.create(Lease(metadata=metadata, spec=spec))
            return
        await self._client.update(replace(lease, spec=spec))

    async def _clean_up(self) -> None:
        leases = await self._client.list(Lease, NAMESPACE, label_selector=f"{LABEL}={COMPONENT}")
        for lease in leases.items:
            spec = lease.spec
            lives_until = parse(spec.renew_time) + (spec.lease_duration_seconds or 0) if spec.renew_time else 0.0
            if lives_until < self._clock.now():
                await self._client.delete(Lease, lease.metadata.name, NAMESPACE)
