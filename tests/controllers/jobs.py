"""Jobs, and a stand-in for the kubelets that run their pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from kcore.api.batch_v1 import Job, JobSpec
from kcore.api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodSpec,
    PodTemplateSpec,
)
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.timestamp import format_seconds
from tests.controllers.control import make_ready, pods_of
from tests.sim.world import World

__all__ = ["by_index", "conditions", "create_job", "end", "get_job", "job", "run_to_end", "running", "spec"]


def spec(restart: str = "Never", **fields: Any) -> JobSpec:
    template = PodSpec(containers=(Container(name="app", image="app:1"),), restart_policy=restart)
    return JobSpec(template=PodTemplateSpec(spec=template), **fields)


def job(name: str = "j", **fields: Any) -> Job:
    return Job(metadata=ObjectMeta(name=name, namespace="ns"), spec=spec(**fields))


async def create_job(w: World, name: str = "j", **fields: Any) -> Job:
    created = await w.client.create(job(name, **fields))
    await w.settle()
    return created


async def get_job(w: World, name: str = "j") -> Job:
    return await w.client.get(Job, name, "ns")


def conditions(j: Job) -> list[tuple[str, str, str]]:
    return [(c.type, c.reason, c.message) for c in j.status.conditions if c.status == "True"]


async def running(w: World) -> list[Pod]:
    """Pods that are neither finished nor on their way out, oldest first."""
    pods = [p for p in await pods_of(w) if p.status.phase in ("Pending", "Running", "")]
    return sorted((p for p in pods if p.metadata.deletion_timestamp is None), key=_created)


def _created(pod: Pod) -> int:
    return int(pod.metadata.resource_version)


def by_index(pods: list[Pod]) -> dict[int, Pod]:
    return {int(p.metadata.annotations["batch.kubernetes.io/job-completion-index"]): p for p in pods}


async def end(w: World, pod: Pod, exit_code: int = 0) -> None:
    """Report that a pod's container has ended, as its kubelet would."""
    ended = ContainerStateTerminated(exit_code=exit_code, finished_at=format_seconds(w.clock.now()))
    status = ContainerStatus(name="app", image="app:1", image_id="", state=ContainerState(terminated=ended))
    phase = "Failed" if exit_code else "Succeeded"
    new = replace(pod, status=replace(pod.status, phase=phase, container_statuses=(status,)))
    await w.client.update(new, subresource="status")


async def run_to_end(w: World, exit_codes: Callable[[], Iterator[int]] | None = None) -> None:
    """The stand-in: every pod becomes ready and ends a second later, with the next exit code (0 in the end); what
    is deleted goes."""
    codes = exit_codes() if exit_codes is not None else iter(())
    while True:
        for pod in await pods_of(w):
            if pod.metadata.deletion_timestamp is not None:
                options = DeleteOptions(grace_period_seconds=0)
                if pod.metadata.deletion_grace_period_seconds:
                    await w.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, options)
            elif pod.status.phase == "Pending":
                await make_ready(w, pod)
            elif pod.status.phase == "Running":
                await end(w, pod, next(codes, 0))
        await w.settle(1)
