from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import CSIPersistentVolumeSource, Node, PersistentVolume, Pod, Taint
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.storage_v1 import (
    CSIDriver,
    CSIDriverSpec,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
)
from tests.controllers.control import controlled
from tests.controllers.test_nodes import make_node
from tests.controllers.volumes import claim, pod_with, volume
from tests.sim.world import World

DRIVER = "csi.example.com"


async def prepare(w: World, **spec: object) -> None:
    """Two nodes, and a bound claim of a CSI driver."""
    for name in ("n1", "n2"):
        await make_node(w, name)
    source = CSIPersistentVolumeSource(driver=DRIVER, volume_handle="h1")
    modes = spec.get("access_modes", ("ReadWriteOnce",))
    await w.client.create(volume(csi=source, access_modes=modes))
    await w.client.create(claim(access_modes=modes))
    await w.settle()


async def attachments(w: World) -> dict[str, VolumeAttachment]:
    return {a.spec.node_name: a for a in (await w.client.list(VolumeAttachment)).items}


async def attach(w: World, node: str) -> None:
    """What the driver's attacher does."""
    found = (await attachments(w))[node]
    await w.client.update(replace(found, status=replace(found.status, attached=True)), subresource="status")
    await w.settle()


async def attached_to(w: World, node: str) -> list[str]:
    return [a.name for a in (await w.client.get(Node, node)).status.volumes_attached]


async def let_go(w: World, name: str = "p") -> None:
    await w.client.delete(Pod, name, "ns", DeleteOptions(grace_period_seconds=0))
    await w.settle()


async def test_volume_is_attached_where_its_pod_is_and_detached_after_it() -> None:
    async with controlled() as w:
        await prepare(w)
        pod = await w.client.create(pod_with("data", node="n1"))
        await w.settle()
        found = (await attachments(w))["n1"]
        assert (found.spec.attacher, found.spec.source.persistent_volume_name) == (DRIVER, "v")
        assert found.metadata.name.startswith("csi-")
        assert len(found.metadata.name) == 68
        assert await attached_to(w, "n1") == []
        await attach(w, "n1")
        assert await attached_to(w, "n1") == ["kubernetes.io/csi/csi.example.com^h1"]
        told = await w.told(pod)
        assert told == ['Normal SuccessfulAttachVolume AttachVolume.Attach succeeded for volume "v" ']
        await let_go(w)
        assert await attachments(w) == {}
        assert await attached_to(w, "n1") == []


async def test_driver_may_need_no_attaching() -> None:
    async with controlled() as w:
        driver = CSIDriver(metadata=ObjectMeta(name=DRIVER), spec=CSIDriverSpec(attach_required=False))
        await w.client.create(driver)
        await prepare(w)
        await w.client.create(pod_with("data", node="n1"))
        await w.settle()
        assert await attachments(w) == {}


async def test_volume_of_one_node_is_not_attached_to_a_second() -> None:
    async with controlled() as w:
        await prepare(w)
        await w.client.create(pod_with("data", "first", "n1"))
        await w.settle()
        second = await w.client.create(pod_with("data", "second", "n2"))
        await w.settle()
        assert list(await attachments(w)) == ["n1"]
        assert (await w.told(second))[0].startswith('Warning FailedAttachVolume Multi-Attach error for volume "v"')
        await let_go(w, "first")
        await w.settle(2)
        assert list(await attachments(w)) == ["n2"]


async def test_volume_that_many_may_write_is_attached_to_all() -> None:
    async with controlled() as w:
        await prepare(w, access_modes=("ReadWriteMany",))
        await w.client.create(pod_with("data", "first", "n1"))
        await w.client.create(pod_with("data", "second", "n2"))
        await w.settle()
        assert set(await attachments(w)) == {"n1", "n2"}


async def use(w: World) -> None:
    """As a kubelet reports a volume that it has mounted."""
    await w.client.create(pod_with("data", node="n1"))
    await w.settle()
    await attach(w, "n1")
    node = await w.client.get(Node, "n1")
    in_use = ("kubernetes.io/csi/csi.example.com^h1",)
    await w.client.update(replace(node, status=replace(node.status, volumes_in_use=in_use)), subresource="status")


async def test_node_keeps_what_it_has_mounted_for_six_minutes_after_it_fell_silent() -> None:
    async with controlled() as w:
        await prepare(w)
        await use(w)
        await w.settle(60)
        await let_go(w)
        await w.settle(340)
        assert list(await attachments(w)) == ["n1"]
        await w.settle(30)
        assert await attachments(w) == {}


async def test_node_out_of_service_gives_its_volumes_up_at_once() -> None:
    async with controlled() as w:
        await prepare(w)
        await use(w)
        await w.settle(60)
        node = await w.client.get(Node, "n1")
        gone = Taint(key="node.kubernetes.io/out-of-service", value="nodeshutdown", effect="NoExecute")
        await w.client.update(replace(node, spec=replace(node.spec, taints=(*node.spec.taints, gone))))
        try:
            await let_go(w)
        except NotFound:  # the collector of pods was faster
            await w.settle()
        assert await attachments(w) == {}


async def test_attachments_that_somebody_else_made_are_left_to_them() -> None:
    async with controlled() as w:
        await prepare(w)
        for name, of in (("theirs", "v"), ("of-nothing", "gone")):
            source = VolumeAttachmentSource(persistent_volume_name=of)
            spec = VolumeAttachmentSpec(attacher=DRIVER, node_name="n1", source=source)
            await w.client.create(VolumeAttachment(metadata=ObjectMeta(name=name), spec=spec))
        await w.settle(600)
        found = {a.metadata.name for a in (await w.client.list(VolumeAttachment)).items}
        assert found == {"theirs", "of-nothing"}


async def test_attachment_goes_with_its_pod_even_where_the_volume_went_first() -> None:
    async with controlled() as w:
        await prepare(w)
        await w.client.create(pod_with("data", node="n1"))
        await w.settle()
        assert list(await attachments(w)) == ["n1"]
        await w.client.delete(PersistentVolume, "v")
        await w.client.patch(PersistentVolume, "v", {"metadata": {"finalizers": None}})
        await let_go(w)
        await w.settle(5)
        assert await attachments(w) == {}
