"""log, exec, attach and portforward of a pod: checked here, then its kubelet's business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from kcore.api.errors import ApiError, BadRequest, InternalError, Invalid, NotFound
from kcore.api.field import quote
from kcore.api.meta_v1 import StatusCause, StatusDetails
from kcore.api.timestamp import format_seconds
from kcore.registry.connecting.containers import assigned_node, chosen_container
from kcore.registry.connecting.log_options import PodLogOptions, log_option_errors
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connecting.lookup import Lookup
from kcore.server.query import Query, log_options
from kcore.server.response import Reply

__all__ = ["CONNECTIONS", "PodAsked"]

_FLAGS = ("stdin", "stdout", "stderr", "tty")


class PodAsked(NamedTuple):
    """A request for a subresource of a pod."""

    request: web.BaseRequest
    lookup: Lookup
    namespace: str
    name: str
    query: Query


async def _log(kubelets: KubeletClient, asked: PodAsked) -> web.StreamResponse:
    """A pod that no node has yet has no log, which is no error."""
    options = log_options(asked.query)
    if errors := list(log_option_errors(options)):
        raise Invalid.named("", "PodLogOptions", asked.name, errors)
    pod = asked.lookup.pod(asked.namespace, asked.name)
    container = chosen_container(pod, options.container)
    if not pod.spec.node_name:
        return Reply(204, b"", "")
    node = asked.lookup.node(pod.spec.node_name)
    path = f"/containerLogs/{asked.namespace}/{asked.name}/{container}"
    query = urlencode(list(_log_parameters(options)))
    return await kubelets.ask(asked.request, node, path, query, refused=partial(_no_log, asked.name))


async def _exec(kubelets: KubeletClient, asked: PodAsked) -> web.StreamResponse:
    return await _command(kubelets, asked, "exec", [("command", word) for word in asked.query.all("command")])


async def _attach(kubelets: KubeletClient, asked: PodAsked) -> web.StreamResponse:
    return await _command(kubelets, asked, "attach", [])


async def _port_forward(kubelets: KubeletClient, asked: PodAsked) -> web.StreamResponse:
    pod = asked.lookup.pod(asked.namespace, asked.name)
    node = asked.lookup.node(assigned_node(pod))
    ports = ",".join(asked.query.all("ports"))
    query = urlencode({"port": ports}) if ports else ""
    return await kubelets.ask(asked.request, node, f"/portForward/{asked.namespace}/{asked.name}", query)


async def _command(
    kubelets: KubeletClient, asked: PodAsked, path: str, words: list[tuple[str, str]]
) -> web.StreamResponse:
    pod = asked.lookup.pod(asked.namespace, asked.name)
    container = chosen_container(pod, asked.query.get("container"))
    node = asked.lookup.node(assigned_node(pod))
    query = urlencode([*((flag, "1") for flag in _FLAGS if asked.query.flag(flag)), *words])
    return await kubelets.ask(asked.request, node, f"/{path}/{asked.namespace}/{asked.name}/{container}", query)


def _log_parameters(options: PodLogOptions) -> Iterator[tuple[str, str]]:
    for name, flag in (("follow", options.follow), ("previous", options.previous), ("timestamps", options.timestamps)):
        if flag:
            yield name, "true"
    if options.since_time is not None:
        yield "sinceTime", format_seconds(options.since_time)
    numbers = {
        "sinceSeconds": options.since_seconds,
        "tailLines": options.tail_lines,
        "limitBytes": options.limit_bytes,
    }
    yield from ((name, str(number)) for name, number in numbers.items() if number is not None)


def _no_log(name: str, code: int, text: str) -> ApiError:
    """A kubelet's refusal as the API server tells it."""
    if code == 400:
        return BadRequest(text)
    if code == 500:
        return InternalError.because(text)
    details = StatusDetails(
        name=name, kind="pods/log", causes=(StatusCause(reason="UnexpectedServerResponse", message=text),)
    )
    if code == 404:
        return NotFound(f"the server could not find the requested resource ( pods/log {name})", details)
    return InternalError(f"an error on the server ({quote(text)}) has prevented the request from succeeding", details)


CONNECTIONS: Mapping[str, Callable[[KubeletClient, PodAsked], Awaitable[web.StreamResponse]]] = {
    "attach": _attach,
    "exec": _exec,
    "log": _log,
    "portforward": _port_forward,
}
"""What to do, by subresource."""
