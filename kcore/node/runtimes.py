"""The runtimes that a kubelet can be told to use, by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock
from kcore.node.fake.runtime import FakeRuntime
from kcore.node.runtime import Runtime

__all__ = ["ProcessOptions", "new_runtime"]


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How containers are run as processes of this machine."""

    folder: Path
    images_file: Path | None = None
    linger_seconds: float = 300.0
    """How long they run on after a kubelet that ended in disorder, for the next one to find."""
    stop_at_end: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    """What every container finds in its environment."""
    isolate: bool = True
    """Whether containers get a view of the machine of their own, where that can be had."""
    dns_address: str = ""
    """Where the cluster's DNS server answers pods; empty: there is none."""
    dns_domain: str = "cluster.local"


def new_runtime(
    name: str,
    client: Client,
    informers: Informers,
    events: EventBroadcaster,
    clock: Clock,
    chance: Chance,
    *,
    start_seconds: float,
    process: ProcessOptions | None,
    node: str = "",
) -> Runtime:
    """The runtime called `name`: `fake` or `process`; with `node`, for that one alone."""
    if name == "fake":
        return FakeRuntime(clock, chance, start_seconds)
    if name != "process" or process is None:
        raise ValueError(f"there is no runtime {name!r} here")
    if sys.platform != "linux":
        raise ValueError("--runtime process needs Linux")
    # Few clusters run processes, and all that this needs takes its time to import.
    from kcore.node.kuberuntime.resolver import ClusterDns
    from kcore.node.kuberuntime.runtime import KubeRuntime
    from kcore.node.own_references import OwnReferences
    from kcore.node.process.images import ImagesFile
    from kcore.node.process.runtime import ProcessRuntime
    from kcore.node.references import References, SharedReferences
    from kcore.node.volumes.manager import VolumeManager

    service = ProcessRuntime(
        process.folder,
        chance,
        ImagesFile(process.images_file),
        linger_seconds=process.linger_seconds,
        stop_at_end=process.stop_at_end,
        isolate=process.isolate,
    )
    references: References = OwnReferences(client, informers, node) if node else SharedReferences(informers)
    volumes = VolumeManager(client, references, clock, process.folder)
    return KubeRuntime(
        service,
        volumes,
        references,
        events,
        clock,
        process.folder,
        process.variables,
        ClusterDns(process.dns_address, process.dns_domain),
    )
