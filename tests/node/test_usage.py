"""What nodes and pods use, from the runtime's figures to what metrics.k8s.io answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kcore.api import metrics_v1beta1
from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError, MethodNotAllowed, NotFound
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.metrics_v1beta1 import NodeMetrics, PodMetrics
from kcore.store.store import Put
from tests.node.pods import pod
from tests.node.test_engine import engine, run
from tests.sim.world import World, world


@asynccontextmanager
async def measured() -> AsyncIterator[World]:
    """A world of two nodes, with the metrics API."""
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        kubelets = engine(w)
        w.registry.serve_usage(kubelets.usage)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(kubelets.run)
        yield w


async def test_usage_follows_the_pods_script() -> None:
    async with measured() as w:
        await run(w, pod(annotations={"kcore.dev/cpu": "0=100m,100=1100m", "kcore.dev/memory": "64Mi"}))
        await w.settle(6)
        early = await w.client.get(PodMetrics, "web", "default")
        assert early.containers[0].name == "app"
        assert early.containers[0].usage["memory"] == "65536Ki"
        assert early.window == "5s"
        await w.settle(120)
        late = await w.client.get(PodMetrics, "web", "default")
        assert late.containers[0].usage["cpu"] == "1100m"
        assert late.timestamp != early.timestamp
        node = await w.client.get(NodeMetrics, "node-0")
        assert node.usage == {"cpu": "1100m", "memory": "65536Ki"}
        assert (await w.client.get(NodeMetrics, "node-1")).usage == {"cpu": "0", "memory": "0Ki"}


async def test_pods_are_found_by_their_labels() -> None:
    async with measured() as w:
        for name in ("one", "two"):
            await run(w, pod(), name)
        await w.client.patch(Pod, "one", {"metadata": {"labels": {"app": "one"}}}, "default")
        await w.settle(11)
        listed = await w.client.list(PodMetrics, "default", label_selector="app=one")
        assert [item.metadata.name for item in listed.items] == ["one"]
        assert len((await w.client.list(PodMetrics)).items) == 2
        assert (await w.client.list(PodMetrics, "elsewhere")).items == []


async def test_what_is_gone_is_measured_no_longer() -> None:
    async with measured() as w:
        await run(w, pod())
        await w.settle(6)
        await w.client.delete(Pod, "web", "default", DeleteOptions(grace_period_seconds=0))
        await w.client.delete(Node, "node-1")
        await w.settle(6)
        with pytest.raises(NotFound):
            await w.client.get(PodMetrics, "web", "default")
        with pytest.raises(NotFound):
            await w.client.get(NodeMetrics, "node-1")


async def test_measurements_cannot_be_written() -> None:
    async with measured() as w:
        await w.settle(6)
        store = w.registry._pipe.store(metrics_v1beta1.NODES)
        with pytest.raises(MethodNotAllowed):
            await store.commit(Put("nodes.metrics.k8s.io/node-0", NodeMetrics()))
        with pytest.raises(ApiError):
            store.watch("nodes.metrics.k8s.io/", since=0)
