"""What requests to connect (exec, proxy, ...) ask for, as admission sees it: options of core/v1, from the query."""

from __future__ import annotations

from typing import Annotated

from kcore.api.schema import LIST_ATOMIC, Int32, TypeMeta

__all__ = ["PodExecOptions", "PodPortForwardOptions", "ProxyOptions"]


class PodExecOptions(TypeMeta):
    """PodAttachOptions are the same without a command."""

    command: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    container: str = ""
    stderr: bool = False
    stdin: bool = False
    stdout: bool = False
    tty: bool = False


class PodPortForwardOptions(TypeMeta):
    ports: Annotated[tuple[Int32, ...], LIST_ATOMIC] = ()


class ProxyOptions(TypeMeta):
    """Those of pods, services and nodes alike."""

    path: str = ""
