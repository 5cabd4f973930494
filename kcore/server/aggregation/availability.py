"""Whether aggregated API servers can be asked: the Available condition of APIServices, in upstream's words.

The last check asks for the very document that discovery tells of the group and version, so it is kept for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import anyio
from msgspec.structs import replace

from kcore.api.apiregistration_v1 import APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus
from kcore.api.core_v1 import Service
from kcore.api.discovery_v1 import SERVICE_NAME, EndpointSlice
from kcore.api.errors import NotFound
from kcore.api.field import quote
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.client.runner import Controller, MapFunction, Result
from kcore.kit.clock import Clock
from kcore.registry.service_endpoints import Unresolved, ready_addresses
from kcore.registry.webhook_client import HTTPS
from kcore.server.aggregation.backends import Backend, backend_of
from kcore.server.aggregation.documents import RemoteDocuments
from kcore.server.aggregation.identity import AGGREGATOR, identity
from kcore.server.outbound import BadBundle, Outbound
from kcore.server.webhook_http import go_words

__all__ = ["AvailabilityController"]

_SECONDS = 6.0
_ATTEMPTS = 5
_AGAIN_SECONDS = 30.0
_FAILED_AGAIN_SECONDS = 5.0
_AVAILABLE = "Available"
_OPENAPI, _OPENAPI_INDEX = "/openapi/v2", "/openapi/v3"


class _Verdict(NamedTuple):
    status: str
    reason: str
    message: str


_LOCAL = _Verdict("True", "Local", "Local APIServices are always available")
_PASSED = _Verdict("True", "Passed", "all checks passed")


class AvailabilityController(Controller):
    name = "available-controller"
    root = APIService

    def __init__(
        self, client: Client, informers: Informers, outbound: Outbound, documents: RemoteDocuments, clock: Clock
    ) -> None:
        super().__init__()
        self._client = client
        self._outbound = outbound
        self._documents = documents
        self._clock = clock
        self._api_services = informers.of(APIService)
        self._services = informers.of(Service)
        self._slices = informers.of(EndpointSlice)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Service: self._service_changed, EndpointSlice: self._slice_changed}

    def _service_changed(self, old: Service | None, new: Service | None) -> Iterator[str]:
        service = new or old
        if service is not None:
            yield from self._served_by(service.metadata.namespace, service.metadata.name)

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> Iterator[str]:
        slice_ = new or old
        if slice_ is not None:
            yield from self._served_by(slice_.metadata.namespace, slice_.metadata.labels.get(SERVICE_NAME, ""))

    def _served_by(self, namespace: str, name: str) -> Iterator[str]:
        for api_service in self._api_services.values():
            reference = api_service.spec.service
            if reference is not None and (reference.namespace, reference.name) == (namespace, name):
                yield api_service.metadata.name

    async def reconcile(self, key: str) -> Result | None:
        api_service = self._api_services.get(key)
        if api_service is None:
            return None
        backend = backend_of(api_service)
        if backend is None:
            await self._tell(api_service, _LOCAL)
            return None
        verdict = self._unserved(api_service.spec) or await self._discovered(backend)
        await self._tell(api_service, verdict)
        return Result(_AGAIN_SECONDS if verdict is _PASSED else _FAILED_AGAIN_SECONDS)

    def _unserved(self, spec: APIServiceSpec) -> _Verdict | None:
        """Why nobody can be asked, if so."""
        reference = spec.service
        assert reference is not None
        named = f"service/{reference.name} in {quote(reference.namespace)}"
        service = self._services.get_object(reference.namespace, reference.name)
        if service is None:
            return _Verdict("False", "ServiceNotFound", f"{named} is not present")
        if service.spec.type != "ClusterIP":
            return None
        number = reference.port or HTTPS
        port = next((port for port in service.spec.ports if port.port == number), None)
        if port is None:
            return _Verdict("False", "ServicePortError", f"{named} is not listening on port {number}")
        slices = [
            s
            for s in self._slices.values()
            if (s.metadata.namespace, s.metadata.labels.get(SERVICE_NAME)) == (reference.namespace, reference.name)
        ]
        if not slices:
            return _Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {named}")
        if not any(ready_addresses(port, slices)):
            why = f"endpointslices for {named} have no addresses with port name {quote(port.name)}"
            return _Verdict("False", "MissingEndpoints", why)
        return None

    async def _discovered(self, backend: Backend) -> _Verdict:
        path = f"/apis/{backend.version}"
        failure = ""
        try:
            with anyio.fail_after(_SECONDS):
                for _ in range(_ATTEMPTS):
                    try:
                        document = await self._fetch(backend, path)
                    except _Failed as error:
                        failure = str(error)
                        continue
                    await self._learn(backend, document)
                    return _PASSED
        except TimeoutError:
            failure = failure or f"timed out waiting for {backend.target(path).url}"
        return _Verdict("False", "FailedDiscoveryCheck", failure)

    async def _learn(self, backend: Backend, document: bytes) -> None:
        index = await self._openapi(backend, _OPENAPI_INDEX)
        if not self._documents.knows(backend, document, index):
            self._documents.learn(backend, document, index, await self._openapi(backend, _OPENAPI))

    async def _openapi(self, backend: Backend, path: str) -> bytes:
        """What the server says of its OpenAPI documents; it need not have any."""
        try:
            return await self._fetch(backend, path)
        except _Failed:
            return b""

    async def _fetch(self, backend: Backend, path: str) -> bytes:
        target = backend.target(path)
        failing = f"failing or missing response from {target.url}"
        headers = identity(AGGREGATOR)
        try:
            asked = self._outbound.request("GET", target, headers=headers, insecure=backend.insecure)
            async with asked as answer:
                if not 200 <= answer.status < 300:
                    raise _Failed(f"{failing}: bad status from {target.url}: {answer.status}")
                return await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _Failed(f'{failing}: Get "{target.url}": {go_words(error)}') from None
        except (Unresolved, BadBundle) as error:
            raise _Failed(str(error)) from None

    async def _tell(self, api_service: APIService, verdict: _Verdict) -> None:
        conditions = api_service.status.conditions
        before = next((c for c in conditions if c.type == _AVAILABLE), None)
        if before is not None and (before.status, before.reason, before.message) == verdict:
            return
        same = before is not None and before.status == verdict.status
        since = before.last_transition_time if same and before is not None else format_seconds(self._clock.now())
        condition = APIServiceCondition(type=_AVAILABLE, last_transition_time=since, **verdict._asdict())
        others: tuple[Any, ...] = tuple(c for c in conditions if c.type != _AVAILABLE)
        status = APIServiceStatus(conditions=(*others, condition))
        try:
            await self._client.update(replace(api_service, status=status), subresource="status")
        except NotFound:
            return


class _Failed(Exception):
    """An attempt's message."""
