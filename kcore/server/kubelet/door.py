"""The kubelet's paths. What each needs beyond the others is loaded when it is first asked for.

Errors are plain text on the kubelet's port, as a kubelet's are; the API server turns them into what it says itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import anyio
import anyio.to_thread
import msgspec
from aiohttp import web
from anyio.abc import ByteStream

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError, InternalError, Invalid, MethodNotAllowed, NotFound
from kcore.api.field import quote
from kcore.registry.connecting.containers import container_names
from kcore.registry.connecting.log_options import log_option_errors
from kcore.server.body_stream import BodyStream
from kcore.server.connecting.dialing import dial_error
from kcore.server.errors import page_not_found
from kcore.server.kubelet.configuration import configuration, machine
from kcore.server.kubelet.kubelets import Kubelets
from kcore.server.metrics import METRICS_TYPE
from kcore.server.query import Query, log_options
from kcore.server.response import JSON_TYPE, TEXT_TYPE, Reply

if TYPE_CHECKING:
    from kcore.server.connection import Connection
    from kcore.server.streaming.remote_command import Execution

__all__ = ["KubeletDoor", "text_reply"]


def text_reply(error: ApiError) -> Reply:
    """An error as kubelets write it."""
    return Reply(error.code, error.message.encode(), TEXT_TYPE)


class Asked(NamedTuple):
    """A request for one node. `parts` is the path below the first segment."""

    request: web.BaseRequest
    node: Node
    parts: Sequence[str]
    query: Query


class KubeletDoor:
    """Answers for every node of `kubelets`. Who may ask is not decided here."""

    def __init__(self, kubelets: Kubelets) -> None:
        self.kubelets = kubelets

    async def answer(self, request: web.BaseRequest, node: str, path: str, query: Query) -> web.StreamResponse:
        """Raises ApiError. What lasts has been served when this returns."""
        first, *parts = path.strip("/").split("/")
        route = _ROUTES.get(first)
        if route is None or len(parts) not in route.lengths:
            return page_not_found()
        if request.method not in route.methods:
            raise MethodNotAllowed("Method Not Allowed")
        found = self.kubelets.node(node)
        if found is None:
            raise NotFound(f"node {quote(node)} is not served here")
        return await route.answer(self, Asked(request, found, parts, query))

    async def _healthz(self, asked: Asked) -> Reply:
        return Reply(200, b"ok", TEXT_TYPE)

    async def _pods(self, asked: Asked) -> Reply:
        return _pod_list(self.kubelets.pods(asked.node.metadata.name))

    async def _running_pods(self, asked: Asked) -> Reply:
        return _pod_list(self.kubelets.running_pods(asked.node.metadata.name))

    async def _stats(self, asked: Asked) -> Reply:
        """The summary, at the older path too."""
        if asked.parts not in ([], ["summary"]):
            return page_not_found()
        return _json(await self.kubelets.summary(asked.node.metadata.name))

    async def _spec(self, asked: Asked) -> Reply:
        return _json(machine(asked.node))

    async def _configz(self, asked: Asked) -> Reply:
        return _json({"kubeletconfig": configuration(asked.node)})

    async def _metrics(self, asked: Asked) -> Reply:
        from kcore.server.kubelet.figures import METRICS, Shown

        render = METRICS.get("/".join(asked.parts))
        if render is None:
            return page_not_found()
        name = asked.node.metadata.name
        summary = await self.kubelets.summary(name)
        shown = Shown(asked.node, self.kubelets.pods(name), summary, list(self.kubelets.probed(name)))
        return Reply(200, await anyio.to_thread.run_sync(render, shown), METRICS_TYPE)

    async def _logs(self, asked: Asked) -> web.StreamResponse:
        options = log_options(asked.query)
        if errors := list(log_option_errors(options)):
            raise Invalid.named("", "PodLogOptions", asked.parts[1], errors)
        log = self.kubelets.logs(*self._container(asked), options)
        heads = cast("Connection", asked.request.protocol).heads
        return await BodyStream(200, heads.opening(200, "text/plain"), await _begun(log)).deliver(asked.request)

    async def _exec(self, asked: Asked) -> web.StreamResponse:
        from kcore.server.streaming.remote_command import command_options, serve_command

        options = command_options(asked.query)
        start = partial(self._start, asked, stdin=options.stdin, tty=options.tty)
        return await serve_command(asked.request, options, start)

    async def _attach(self, asked: Asked) -> web.StreamResponse:
        from kcore.server.streaming.remote_command import command_options, serve_command

        options = command_options(asked.query)
        pod, container = self._container(asked)
        start = partial(self.kubelets.attach, pod, container, stdin=options.stdin)
        return await serve_command(asked.request, options, start, tells_code=False)

    async def _run(self, asked: Asked) -> Reply:
        """A command without streams; its output is the answer."""
        from kcore.server.streaming.relaying import read_to_end

        execution = await self._start(asked, command=asked.query.get("cmd").split(" "))
        try:
            output = await read_to_end(execution.stdout, execution.stderr)
            code = await execution.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await execution.aclose()
        if code:
            raise InternalError(f"command terminated with exit code {code}: {output.decode(errors='replace')}")
        return Reply(200, output, TEXT_TYPE)

    async def _start(
        self, asked: Asked, *, command: Sequence[str] | None = None, stdin: bool = False, tty: bool = False
    ) -> Execution:
        pod, container = self._container(asked)
        words = asked.query.all("command") if command is None else command
        return await self.kubelets.exec(pod, container, words, stdin=stdin, tty=tty)

    async def _port_forward(self, asked: Asked) -> web.StreamResponse:
        from kcore.server.streaming.port_forward import serve_port_forward

        pod = self._pod(*asked.parts)
        described = f"{pod.metadata.name}, uid {pod.metadata.uid}"
        return await serve_port_forward(asked.request, asked.query, described, partial(self._dial, pod))

    async def _dial(self, pod: Pod, port: int) -> ByteStream:
        try:
            return await self.kubelets.dial(pod, port)
        except OSError as error:
            raise dial_error(error, "localhost", port) from error

    def _container(self, asked: Asked) -> tuple[Pod, str]:
        """From `NAMESPACE/POD[/UID]/CONTAINER`."""
        *of_pod, container = asked.parts
        pod = self._pod(*of_pod)
        if container not in container_names(pod):
            raise NotFound(f"container {quote(container)} not found in pod {quote(pod.metadata.name)}")
        return pod, container

    def _pod(self, namespace: str, name: str, uid: str = "") -> Pod:
        pod = self.kubelets.pod(namespace, name)
        if pod is None or (uid and pod.metadata.uid != uid):
            raise NotFound(f"pod {quote(name)} does not exist")
        return pod


class _Route(NamedTuple):
    """`lengths`: how many segments may follow the first."""

    answer: Callable[[KubeletDoor, Asked], Awaitable[web.StreamResponse]]
    lengths: Collection[int] = (0,)
    methods: Collection[str] = ("GET", "HEAD")


_BOTH = ("GET", "POST")
_ROUTES = {
    "attach": _Route(KubeletDoor._attach, (3, 4), _BOTH),
    "configz": _Route(KubeletDoor._configz),
    "containerLogs": _Route(KubeletDoor._logs, (3,), ("GET",)),
    "exec": _Route(KubeletDoor._exec, (3, 4), _BOTH),
    "healthz": _Route(KubeletDoor._healthz, (0, 1)),
    "metrics": _Route(KubeletDoor._metrics, (0, 1)),
    "pods": _Route(KubeletDoor._pods),
    "portForward": _Route(KubeletDoor._port_forward, (2, 3), _BOTH),
    "run": _Route(KubeletDoor._run, (3, 4), ("POST",)),
    "runningpods": _Route(KubeletDoor._running_pods),
    "spec": _Route(KubeletDoor._spec),
    "stats": _Route(KubeletDoor._stats, (0, 1)),
}


def _json(tree: Any) -> Reply:
    return Reply(200, msgspec.json.encode(tree), JSON_TYPE)


def _pod_list(pods: Sequence[Pod]) -> Reply:
    return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})


async def _begun(log: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The log once its first piece is there: so that what is wrong with it is an answer of its own."""
    first = await anext(log, b"")

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in log:
            yield piece

    return pieces()
