"""All of aggregation as the door and the cluster see it: who answers for what, and how requests get there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import anyio
import msgspec
from anyio.abc import TaskStatus

from kcore.api.errors import NotFound, ServiceUnavailable
from kcore.api.scheme import Scheme
from kcore.client.client import Client
from kcore.client.http import error_of
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock
from kcore.registry.request import User
from kcore.registry.service_endpoints import Unresolved
from kcore.server.address import Address
from kcore.server.aggregation.availability import AvailabilityController
from kcore.server.aggregation.backends import Backend, Backends
from kcore.server.aggregation.documents import RemoteDocument, RemoteDocuments
from kcore.server.aggregation.identity import identity
from kcore.server.aggregation.proxy import Proxy
from kcore.server.authentication.front_proxy import ProxyHeaders
from kcore.server.certificates import FRONT_PROXY
from kcore.server.outbound import BadBundle, Outbound
from kcore.store.store import Store

__all__ = ["Aggregator", "authentication_data"]


class Aggregator:
    """A service: its connections to other servers end with it. `certificate`: what it shows them."""

    def __init__(
        self, store: Store, scheme: Scheme, clock: Clock, chance: Chance, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self._clock = clock
        self._outbound = Outbound(store, chance, certificate=certificate)
        self.backends = Backends(store, scheme)
        self.documents = RemoteDocuments()
        self.proxy = Proxy(self._outbound)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        self.backends.follow()
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._outbound.run)
            task_status.started()

    @property
    def generation(self) -> int:
        """Grows with every change that discovery shows."""
        return self.backends.generation + self.documents.generation

    def swagger(self) -> Sequence[RemoteDocument]:
        """The others' documents in OpenAPI's second version, the most important group first."""
        backends = sorted(self.backends.all(), key=lambda backend: backend.priority, reverse=True)
        found = (RemoteDocument(each.version, self.documents.swagger(each.version)) for each in backends)
        return [document for document in found if document.body]

    def availability(self, client: Client, informers: Informers) -> AvailabilityController:
        """Tells which of the others can be asked."""
        return AvailabilityController(client, informers, self._outbound, self.documents, self._clock)

    def of(self, address: Address) -> Backend | None:
        """Who answers for a resource, if not this server."""
        return self.backends.find(address.group, address.version)

    async def fetch(self, user: User, path: str, query: Mapping[str, str]) -> bytes:
        """A document of another server, for those in this process who need one: custom metrics, above all."""
        _, root, group, version, *_ = (*path.split("/"), "", "", "", "")
        backend = self.backends.find(group, version) if root == "apis" else None
        if backend is None:
            raise NotFound("the server could not find the requested resource")
        if not backend.available:
            raise ServiceUnavailable("the server is currently unable to handle the request")
        given = urlencode({name: value for name, value in query.items() if value})
        try:
            asked = self._outbound.request(
                "GET", backend.target(path), query=given, headers=identity(user), insecure=backend.insecure
            )
            async with asked as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, Unresolved, BadBundle) as error:
            raise ServiceUnavailable(f"the server is currently unable to handle the request: {error}") from error
        if answer.status >= 400:
            raise error_of(body, answer.status)
        return body

    def behind(self, path: str) -> Backend | None:
        """Who answers at a path that is no resource: the discovery and OpenAPI documents of its group and version."""
        if not self.backends:
            return None
        parts = path.removeprefix("/openapi/v3").split("/")
        if len(parts) == 4 and parts[1] == "apis":
            return self.backends.find(parts[2], parts[3])
        return None


def authentication_data(clients: bytes, front_proxies: bytes) -> Mapping[str, str]:
    """What the others have to know: the authorities of clients and of this server, and where it writes who asks."""
    names = ProxyHeaders()
    lists = {
        "requestheader-allowed-names": (FRONT_PROXY,),
        "requestheader-extra-headers-prefix": names.extra_prefixes,
        "requestheader-group-headers": names.group,
        "requestheader-uid-headers": names.uid,
        "requestheader-username-headers": names.username,
    }
    return {
        "client-ca-file": clients.decode(),
        "requestheader-client-ca-file": front_proxies.decode(),
        **{wire: msgspec.json.encode(listed).decode() for wire, listed in lists.items()},
    }
