"""A world with the controller manager in it, and with a stand-in for scheduler and kubelets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment, DeploymentSpec, DeploymentStrategy, ReplicaSet, RollingUpdateDeployment
from kcore.api.core_v1 import Container, Pod, PodCondition, PodIP, PodSpec, PodTemplateSpec
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.api.timestamp import format_seconds
from kcore.client.definitions import DefinedKinds
from kcore.controllers.manager import ControllerManager
from kcore.controllers.options import ControllerOptions
from tests.sim.world import World, world

__all__ = ["controlled", "deployment", "make_ready", "manager", "pods_of", "replica_sets", "run_pods", "template"]


def manager(w: World, **options: Any) -> ControllerManager:
    return ControllerManager(w.client, w.informers, w.clock, w.chance, w.events, ControllerOptions(**options))


@asynccontextmanager
async def controlled(**options: Any) -> AsyncIterator[World]:
    """A world with the namespace `ns` and all controllers at work."""
    async with world() as w:
        await w.create_namespace()
        controllers = manager(w, **options)
        await w.tasks.start(w.informers.run)
        if w.client.scheme is not w.registry.scheme:
            await w.tasks.start(DefinedKinds(w.client.scheme, w.informers).run)
        await w.tasks.start(controllers.run)
        yield w


def template(app: str = "web", image: str = "app:1") -> PodTemplateSpec:
    spec = PodSpec(containers=(Container(name="app", image=image),))
    return PodTemplateSpec(metadata=ObjectMeta(labels={"app": app}), spec=spec)


def deployment(name: str = "web", replicas: int = 3, image: str = "app:1", **spec: Any) -> Deployment:
    selector = LabelSelector(match_labels={"app": name})
    return Deployment(
        metadata=ObjectMeta(name=name, namespace="ns"),
        spec=DeploymentSpec(replicas=replicas, selector=selector, template=template(name, image), **spec),
    )


def rolling(surge: int | str, unavailable: int | str) -> DeploymentStrategy:
    update = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    return DeploymentStrategy(type="RollingUpdate", rolling_update=update)


async def pods_of(w: World, namespace: str = "ns") -> list[Pod]:
    return list((await w.inside.list(Pod, namespace)).items)


async def replica_sets(w: World) -> Mapping[str, ReplicaSet]:
    """By revision."""
    found = (await w.client.list(ReplicaSet, "ns")).items
    return {rs.metadata.annotations.get("deployment.kubernetes.io/revision", ""): rs for rs in found}


async def make_ready(w: World, pod: Pod, ready: bool = True, node: str = "n1") -> Pod:
    """Report a pod as its kubelet would."""
    now = format_seconds(w.clock.now())
    condition = PodCondition(type="Ready", status="True" if ready else "False", last_transition_time=now)
    others = tuple(c for c in pod.status.conditions if c.type != "Ready")
    address = pod.status.pod_ip or f"10.0.{w.chance.random.randrange(256)}.{w.chance.random.randrange(1, 255)}"
    status = replace(
        pod.status,
        phase="Running",
        conditions=(*others, condition),
        pod_ip=address,
        pod_ips=(PodIP(ip=address),),
        start_time=pod.status.start_time or now,
    )
    return await w.client.update(replace(pod, status=status), subresource="status")


async def run_pods(w: World) -> None:
    """The stand-in: makes every pod ready, and lets those go that are deleted."""
    informer = w.informers.of(Pod)
    while True:
        for pod in list(informer.values()):
            if pod.metadata.deletion_timestamp is not None:
                options = DeleteOptions(grace_period_seconds=0)
                await w.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, options)
            elif pod.status.phase != "Running":
                await make_ready(w, pod)
        await w.settle(0.1)
