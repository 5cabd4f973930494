"""Which container of a pod a request for its log, or for a command in it, means."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.core_v1 import Pod
from kcore.api.errors import BadRequest

__all__ = ["assigned_node", "chosen_container", "container_names"]


def container_names(pod: Pod) -> Iterator[str]:
    """Every container, init containers first, as upstream visits them."""
    for containers in (pod.spec.init_containers, pod.spec.containers, pod.spec.ephemeral_containers):
        yield from (container.name for container in containers)


def chosen_container(pod: Pod, name: str) -> str:
    """The container called `name`, or the only one where no name is given. Raises BadRequest."""
    if name:
        if name not in container_names(pod):
            raise BadRequest(f"container {name} is not valid for pod {pod.metadata.name}")
        return name
    if len(pod.spec.containers) == 1:
        return pod.spec.containers[0].name
    choice = f", choose one of: [{' '.join(container_names(pod))}]" if pod.spec.containers else ""
    raise BadRequest(f"a container name must be specified for pod {pod.metadata.name}{choice}")


def assigned_node(pod: Pod) -> str:
    """The node that a pod is bound to. Raises BadRequest where there is none yet."""
    if not pod.spec.node_name:
        raise BadRequest(f"pod {pod.metadata.name} does not have a host assigned")
    return pod.spec.node_name
