"""Which subresource is passed on how; and that it may be upgraded only by who may create."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from kcore.api.connect_options import PodExecOptions, PodPortForwardOptions, ProxyOptions
from kcore.api.schema import TypeMeta
from kcore.kit.clock import Chance
from kcore.registry.access import Attributes
from kcore.registry.refusals import require
from kcore.registry.request import Request
from kcore.registry.verbs import Registry
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connecting.lookup import Lookup
from kcore.server.connecting.pods import CONNECTIONS, PodAsked
from kcore.server.long_running import LongRunning
from kcore.server.metrics import labels_of
from kcore.server.streaming.upgraded import Done

if TYPE_CHECKING:
    from kcore.server.connecting.proxies import Proxies
    from kcore.server.resources import Call

__all__ = ["CONNECTED", "Connecter"]

CONNECTED = frozenset(("attach", "exec", "log", "portforward", "proxy"))
"""The subresources that are passed on."""


class Connecter:
    def __init__(self, registry: Registry, kubelets: KubeletClient, chance: Chance) -> None:
        self._registry = registry
        self._kubelets = kubelets
        self._chance = chance

    @cached_property
    def _proxies(self) -> Proxies:
        from kcore.server.connecting.proxies import Proxies  # few clusters' users ask for one

        return Proxies(self._kubelets, self._chance, self._registry.env.pod_loopback)

    async def answer(self, call: Call) -> web.StreamResponse:
        """Returns when the connection has served its purpose. Raises ApiError."""
        with LongRunning(call.request, labels_of("connect", call.address)):
            return await self._answer(call)
        return Done()

    async def _answer(self, call: Call) -> web.StreamResponse:
        address, lookup = call.address, Lookup(self._registry, call.user)
        if address.subresource == "proxy":
            await self._admit(call)
            return await self._proxies.answer(call.request, lookup, address)
        if address.subresource != "log" and call.verb != "create":
            # A WebSocket begins with a GET, but to read pods must not be enough to run commands in them.
            resource, subresource = address.resource, address.subresource
            asked = Attributes(call.user, "create", "", resource, subresource, address.namespace, address.name)
            require(self._registry.authorizer, asked)
        if address.subresource != "log":
            await self._admit(call)
        asked_pod = PodAsked(call.request, lookup, address.namespace, address.name, call.query)
        return await CONNECTIONS[address.subresource](self._kubelets, asked_pod)

    async def _admit(self, call: Call) -> None:
        """Raises ApiError where admission has something against it."""
        address = call.address
        kind = self._registry.scheme.find(address.group, address.version, address.resource)
        assert kind is not None
        annotations = None if call.audited is None else call.audited.annotations
        request = Request(
            "connect",
            kind,
            address.namespace,
            address.name,
            call.user,
            address.subresource,
            warnings=call.warnings,
            annotations=annotations,
        )
        await self._registry.connect(request, _options(call))


def _options(call: Call) -> TypeMeta:
    """What the query asks for."""
    query = call.query
    if call.address.subresource == "proxy":
        return ProxyOptions(path=call.address.rest)
    if call.address.subresource == "portforward":
        return PodPortForwardOptions(ports=tuple(int(port) for port in query.all("ports") if port.isdecimal()))
    return PodExecOptions(
        command=tuple(query.all("command")),
        container=query.get("container"),
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        tty=query.flag("tty"),
    )
