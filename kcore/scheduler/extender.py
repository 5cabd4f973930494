"""HTTP extenders: webhooks that filter, score, preempt and bind beside the plugins (upstream's scheduler extender).

The documents are those of k8s.io/kube-scheduler/extender/v1, whose fields have capitals; answers are read whatever
their case.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import msgspec
import structlog

from kcore.api.core_v1 import Node, Pod
from kcore.api.duration import seconds
from kcore.scheduler.config.types import Extender as ExtenderConfig
from kcore.scheduler.config.types import ExtenderTls
from kcore.scheduler.diagnosis import Diagnosis
from kcore.scheduler.framework import Ask, Code, PostFilterResult, Status
from kcore.scheduler.pod_info import PodInfo

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Extender", "ExtenderError", "ExtensiblePreemption", "FilterResult", "MetaVictims", "open_extenders"]

HIGHEST_SCORE = 10

log = structlog.get_logger(__name__)


class ExtenderError(Exception):
    """An extender that may not be ignored did not answer as it should."""


class FilterResult(NamedTuple):
    """The nodes that are left, and what is said of the others."""

    names: Sequence[str]
    refused: Mapping[str, Status]


class MetaVictims(NamedTuple):
    """Who would have to leave a node, by uid."""

    uids: Sequence[str]
    violations: int


class Extender:
    """One of them."""

    def __init__(self, config: ExtenderConfig, session: aiohttp.ClientSession) -> None:
        self.config = config
        self.name = config.url_prefix
        self.filters = bool(config.filter_verb)
        self.scores = bool(config.prioritize_verb)
        self.binds = bool(config.bind_verb)
        self.preempts = bool(config.preempt_verb)
        self._session = session
        self._managed = frozenset(resource.name for resource in config.managed_resources)

    def is_interested(self, pod: PodInfo) -> bool:
        """Whether a pod asks for something that the extender manages; without such resources all pods concern it."""
        if not self._managed:
            return True
        containers = (*pod.pod.spec.containers, *pod.pod.spec.init_containers)
        asked = [name for c in containers for name in (*c.resources.requests, *c.resources.limits)]
        return not self._managed.isdisjoint(asked)

    async def filter(self, pod: Pod, nodes: Mapping[str, Node]) -> FilterResult:
        """Which of the nodes will do. Raises ExtenderError."""
        try:
            answer = _object(await self._send(self.config.filter_verb, self._arguments(pod, nodes)))
            if answer.get("error"):
                raise ExtenderError(f"{self.name}: {answer['error']}")
        except ExtenderError as error:
            if not self.config.ignorable:
                raise
            log.warning("extender ignored", extender=self.name, why=str(error))
            return FilterResult(list(nodes), {})
        refused = {
            name: Status(code, (reason,), self.name)
            for field, code in (("failednodes", Code.UNSCHEDULABLE), ("failedandunresolvablenodes", Code.UNRESOLVABLE))
            for name, reason in (answer.get(field) or {}).items()
        }
        return FilterResult([name for name in self._names(answer) if name in nodes], refused)

    async def prioritize(self, pod: Pod, nodes: Mapping[str, Node]) -> Mapping[str, int]:
        """A weighted score for each node; nothing where the extender fails, which never stops a pod."""
        try:
            answer = await self._send(self.config.prioritize_verb, self._arguments(pod, nodes))
            entries = [_object(entry) for entry in answer]
            return {entry["host"]: int(entry["score"]) * self.config.weight for entry in entries}
        except (ExtenderError, KeyError, TypeError, ValueError) as error:
            log.warning("extender's scores ignored", extender=self.name, why=str(error))
            return {}

    async def preempt(self, pod: Pod, victims: Mapping[str, MetaVictims]) -> Mapping[str, MetaVictims]:
        """Which nodes may be preempted, and who leaves them. Raises ExtenderError."""
        told = {
            name: {"Pods": [{"UID": uid} for uid in one.uids], "NumPDBViolations": one.violations}
            for name, one in victims.items()
        }
        answer = _object(await self._send(self.config.preempt_verb, {"Pod": pod, "NodeNameToMetaVictims": told}))
        chosen = {name: _object(one) for name, one in (answer.get("nodenametometavictims") or {}).items()}
        return {
            name: MetaVictims(
                [_object(entry).get("uid", "") for entry in one.get("pods") or ()], int(one.get("numpdbviolations", 0))
            )
            for name, one in chosen.items()
        }

    async def bind(self, pod: Pod, node_name: str) -> None:
        """Bind a pod. Raises ExtenderError."""
        metadata = pod.metadata
        arguments = {
            "PodName": metadata.name,
            "PodNamespace": metadata.namespace,
            "PodUID": metadata.uid,
            "Node": node_name,
        }
        answer = _object(await self._send(self.config.bind_verb, arguments))
        if answer.get("error"):
            raise ExtenderError(str(answer["error"]))

    def _arguments(self, pod: Pod, nodes: Mapping[str, Node]) -> dict[str, Any]:
        if self.config.node_cache_capable:
            return {"Pod": pod, "Nodes": None, "NodeNames": list(nodes)}
        items = {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": list(nodes.values())}
        return {"Pod": pod, "Nodes": items, "NodeNames": None}

    def _names(self, answer: Mapping[str, Any]) -> Iterable[str]:
        if answer.get("nodenames") is not None:
            return [str(name) for name in answer["nodenames"]]
        items = _object(answer.get("nodes") or {}).get("items") or ()
        return [item["metadata"]["name"] for item in items]

    async def _send(self, verb: str, body: Mapping[str, Any]) -> Any:
        import aiohttp

        url = f"{self.config.url_prefix.rstrip('/')}/{verb}"
        timeout = aiohttp.ClientTimeout(total=seconds(self.config.http_timeout) or None)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                url, data=msgspec.json.encode(body), headers=headers, timeout=timeout
            ) as response:
                data = await response.read()
                if response.status != 200:
                    raise ExtenderError(f"failed {verb} with extender at URL {url}, code {response.status}")
                return msgspec.json.decode(data)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise ExtenderError(f"failed {verb} with extender at URL {url}: {error or type(error).__name__}") from error


def _object(tree: Any) -> dict[str, Any]:
    """A document with its field names in lower case."""
    if not isinstance(tree, Mapping):
        raise ExtenderError(f"an object was expected, not {type(tree).__name__}")
    return {str(name).lower(): value for name, value in tree.items()}


@runtime_checkable
class ExtensiblePreemption(Protocol):
    """A PostFilter plugin in whose choice of victims extenders have a say."""

    async def extended(
        self, pod: PodInfo, diagnosis: Diagnosis, ask: Ask, extenders: Sequence[Extender]
    ) -> PostFilterResult: ...


@asynccontextmanager
async def open_extenders(configs: Sequence[ExtenderConfig]) -> AsyncIterator[Sequence[Extender]]:
    """Extenders with connections of their own, for as long as the context lasts."""
    if not configs:
        yield ()
        return
    import aiohttp

    sessions = []
    try:
        extenders = []
        for config in configs:
            connector = aiohttp.TCPConnector(ssl=_tls(config.tls_config) if config.enable_https else True)
            sessions.append(aiohttp.ClientSession(connector=connector))
            extenders.append(Extender(config, sessions[-1]))
        yield extenders
    finally:
        for session in sessions:
            await session.close()


def _tls(config: ExtenderTls | None) -> ssl.SSLContext:
    config = config or ExtenderTls()
    authority = base64.b64decode(config.ca_data).decode() if config.ca_data else None
    context = ssl.create_default_context(cafile=config.ca_file or None, cadata=authority)
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file or None)
    elif config.cert_data:
        with tempfile.NamedTemporaryFile() as both:  # the ssl module reads certificates from files only
            both.write(base64.b64decode(config.cert_data) + b"\n" + base64.b64decode(config.key_data))
            both.flush()
            context.load_cert_chain(both.name)
    return context
