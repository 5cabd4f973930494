"""The downward API: what a container may learn of its pod and node, for its environment and for files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kcore.api.core_v1 import ObjectFieldSelector, Pod, ResourceFieldSelector
from kcore.api.quantity import parse
from kcore.node.containers import all_containers

__all__ = ["DownwardError", "PodAddresses", "field_value", "resource_value"]

PodAddresses = tuple[str, str]
"""The pod's own address and its node's."""

_ENTRY = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_FIELDS: Mapping[str, Callable[[Pod, PodAddresses], str]] = {
    "metadata.name": lambda pod, _: pod.metadata.name,
    "metadata.namespace": lambda pod, _: pod.metadata.namespace,
    "metadata.uid": lambda pod, _: pod.metadata.uid,
    "metadata.labels": lambda pod, _: _map(pod.metadata.labels),
    "metadata.annotations": lambda pod, _: _map(pod.metadata.annotations),
    "spec.nodeName": lambda pod, _: pod.spec.node_name,
    "spec.serviceAccountName": lambda pod, _: pod.spec.service_account_name,
    "status.hostIP": lambda _, addresses: addresses[1],
    "status.hostIPs": lambda _, addresses: addresses[1],
    "status.podIP": lambda _, addresses: addresses[0],
    "status.podIPs": lambda _, addresses: addresses[0],
}


class DownwardError(Exception):
    """A field that there is not; the message is for the pod's status."""


def field_value(pod: Pod, addresses: PodAddresses, selector: ObjectFieldSelector) -> str:
    """What a `fieldRef` stands for."""
    path = selector.field_path
    if entry := _ENTRY.fullmatch(path):
        values = pod.metadata.labels if entry[1] == "labels" else pod.metadata.annotations
        return values.get(entry[2], "")
    if path not in _FIELDS:
        raise DownwardError(f"unsupported fieldPath: {path}")
    return _FIELDS[path](pod, addresses)


def resource_value(
    pod: Pod, selector: ResourceFieldSelector, allocatable: Mapping[str, str], container_name: str = ""
) -> str:
    """What a `resourceFieldRef` stands for, rounded up in units of its divisor; a limit that is not set is all that
    the node has."""
    name = selector.container_name or container_name
    container = next((c for c in all_containers(pod) if c.name == name), None)
    if container is None:
        raise DownwardError(f"container {name} not found")
    kind, _, resource = selector.resource.partition(".")
    given = container.resources.limits if kind == "limits" else container.resources.requests
    if resource.startswith("hugepages-") and resource not in given:
        return "0"
    amount = given.get(resource) or (allocatable.get(resource, "0") if kind == "limits" else "0")
    divisor = parse(selector.divisor or "1").exact or 1
    return str(-int(-parse(amount).exact // divisor))


def _map(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quoted(values[key])}" for key in sorted(values))


def _quoted(text: str) -> str:
    """As Go's `%q` writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
