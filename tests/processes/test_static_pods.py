"""Static pods: they run whatever the API server says, and it shows a mirror of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions
from kcore.node.options import NodeOptions
from kcore.node.sources.manifests import CONFIG_HASH, MIRROR
from tests.node.test_engine import engine
from tests.node.test_manifests import MANIFEST
from tests.processes.conftest import until_async
from tests.sim.world import World, world


@asynccontextmanager
async def served(folder: Path, orphan: Pod | None = None) -> AsyncIterator[World]:
    """A world with one node that reads manifests from a folder."""
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        if orphan is not None:
            await w.client.create(orphan)
        await w.tasks.start(w.informers.run)
        options = NodeOptions(pod_manifest_path=folder, file_check_frequency=600.0)
        await w.tasks.start(engine(w, 1, node=options).run)
        yield w


async def mirror(w: World, holds: Callable[[Pod], bool] = lambda pod: pod.status.phase == "Running") -> Pod:
    """The mirror, once it is as it should be."""
    found: list[Pod] = []

    async def there() -> bool:
        try:
            found[:] = [await w.client.get(Pod, "web-node-0", "default")]
        except NotFound:
            return False
        return holds(found[0])

    await until_async(there)
    return found[0]


async def gone(w: World) -> bool:
    try:
        await w.client.get(Pod, "web-node-0", "default")
    except NotFound:
        return True
    return False


async def test_a_static_pod_runs_and_has_a_mirror(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST % 1)
    (tmp_path / ".hidden.yaml").write_text("{{")
    async with served(tmp_path) as w:
        pod = await mirror(w)
        assert pod.metadata.annotations[MIRROR] == pod.metadata.annotations[CONFIG_HASH]
        assert pod.metadata.owner_references[0].kind == "Node"
        w.tasks.cancel_scope.cancel()


async def test_a_deleted_mirror_comes_back_and_the_pod_never_stops(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST % 1)
    async with served(tmp_path) as w:
        before = await mirror(w)
        await w.client.delete(Pod, "web-node-0", "default", DeleteOptions(grace_period_seconds=0))
        uid = before.metadata.uid
        after = await mirror(w, lambda pod: pod.metadata.uid != uid and pod.status.phase == "Running")
        assert after.status.container_statuses == before.status.container_statuses
        w.tasks.cancel_scope.cancel()


async def test_a_changed_manifest_replaces_the_pod_at_once(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST % 1)
    async with served(tmp_path) as w:
        before = (await mirror(w)).status.container_statuses[0]
        (tmp_path / "web.yaml").write_text(MANIFEST % 2)
        after = await mirror(
            w, lambda pod: any(s.image == "nginx:2" and s.ready for s in pod.status.container_statuses)
        )
        assert after.status.container_statuses[0].container_id != before.container_id
        w.tasks.cancel_scope.cancel()


async def test_a_broken_manifest_leaves_running_what_runs(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST % 1)
    async with served(tmp_path) as w:
        before = await mirror(w)
        (tmp_path / "web.yaml").write_text("{{")
        # The next good one shows that the broken one was read.
        (tmp_path / "other.yaml").write_text((MANIFEST % 1).replace("name: web,", "name: other,"))

        async def read() -> bool:
            return any(p.metadata.name == "other-node-0" for p in (await w.client.list(Pod, "default")).items)

        await until_async(read)
        assert (await mirror(w)).status == before.status
        w.tasks.cancel_scope.cancel()


async def test_a_removed_manifest_ends_the_pod_and_its_mirror(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST % 1)
    async with served(tmp_path) as w:
        orphan = await mirror(w)
        await anyio.Path(tmp_path / "web.yaml").unlink()
        await until_async(lambda: gone(w))
        w.tasks.cancel_scope.cancel()
    metadata = replace(orphan.metadata, uid="", resource_version="", owner_references=())
    async with served(tmp_path, replace(orphan, metadata=metadata)) as w:
        await until_async(lambda: gone(w))
        w.tasks.cancel_scope.cancel()


async def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    async with served(tmp_path / "later") as w:
        assert (await w.client.list(Pod, "default")).items == []
        w.tasks.cancel_scope.cancel()
