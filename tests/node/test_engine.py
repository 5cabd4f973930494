"""The kubelet engine at work over the registry, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import Node, NodeStatus, Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta, OwnerReference
from kcore.api.timestamp import parse
from kcore.client.client import PatchType
from kcore.node.engine import KubeletEngine, KubeletOptions
from tests.node.pods import container, pod
from tests.sim.world import World, world


def engine(w: World, nodes: int = 2, **options: object) -> KubeletEngine:
    return KubeletEngine(
        w.client,
        w.informers,
        w.events,
        w.clock,
        w.chance,
        KubeletOptions(nodes=nodes, **options),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def served(nodes: int = 2, **options: object) -> AsyncIterator[World]:
    """A world with an engine and its nodes."""
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(engine(w, nodes, **options).run)
        await w.settle(0.5)
        yield w


async def run(w: World, given: Pod, name: str = "web", node: str = "node-0") -> Pod:
    """Create a pod that is on its node from the start."""
    metadata = replace(given.metadata, name=name, uid="", generation=0)
    return await w.client.create(replace(given, metadata=metadata, spec=replace(given.spec, node_name=node)))


async def current(w: World, name: str = "web") -> Pod:
    return await w.client.get(Pod, name, "default")


def conditions(obj: Pod | Node) -> Mapping[str, str]:
    return {condition.type: condition.status for condition in obj.status.conditions}


async def test_nodes_register_ready_with_addresses_and_ranges() -> None:
    async with served(3) as w:
        nodes = (await w.client.list(Node)).items
        assert [n.metadata.name for n in nodes] == ["node-0", "node-1", "node-2"]
        assert len({n.spec.pod_cidr for n in nodes}) == 3
        assert len({n.status.addresses[0].address for n in nodes}) == 3
        first = nodes[0]
        assert conditions(first) == {
            "MemoryPressure": "False",
            "DiskPressure": "False",
            "PIDPressure": "False",
            "Ready": "True",
        }
        assert first.metadata.labels["kubernetes.io/hostname"] == "node-0"
        assert first.status.capacity["pods"] == "110"


async def test_leases_are_renewed_every_ten_seconds_and_go_with_their_node() -> None:
    async with served() as w:
        first = await w.client.get(Lease, "node-1", "kube-node-lease")
        await w.settle(60)
        later = await w.client.get(Lease, "node-1", "kube-node-lease")
        assert first.spec.renew_time is not None
        assert later.spec.renew_time is not None
        passed = parse(later.spec.renew_time) - parse(first.spec.renew_time)
        assert 50 <= passed <= 60
        assert later.spec.lease_duration_seconds == 40
        assert later.metadata.owner_references[0].kind == "Node"


async def test_node_status_is_refreshed_every_five_minutes() -> None:
    async with served() as w:
        before = await w.client.get(Node, "node-0")
        await w.settle(280)
        assert await w.client.get(Node, "node-0") == before
        await w.settle(40)
        after = await w.client.get(Node, "node-0")
        assert after.status.conditions[0].last_heartbeat_time != before.status.conditions[0].last_heartbeat_time
        assert after.status.conditions[0].last_transition_time == before.status.conditions[0].last_transition_time


async def test_a_node_declared_unready_by_others_is_ready_again_at_its_next_heartbeat() -> None:
    async with served() as w:
        node = await w.client.get(Node, "node-0")
        broken = tuple(replace(c, status="Unknown") for c in node.status.conditions)
        await w.client.update(replace(node, status=replace(node.status, conditions=broken)), subresource="status")
        await w.settle(11)
        assert conditions(await w.client.get(Node, "node-0"))["Ready"] == "True"


@pytest.mark.parametrize("annotation", [{"kwok.x-k8s.io/node": "fake"}, {"kcore.dev/runtime": "fake"}])
async def test_hand_made_nodes_are_adopted(annotation: Mapping[str, str]) -> None:
    async with served(0) as w:
        room = {"cpu": "2", "pods": "5"}
        await w.client.create(
            Node(metadata=ObjectMeta(name="mine", annotations=annotation), status=NodeStatus(allocatable=room))
        )
        await w.settle()
        node = await w.client.get(Node, "mine")
        assert conditions(node)["Ready"] == "True"
        assert (node.status.allocatable, node.status.capacity) == (room, room)
        assert node.spec.pod_cidr
        await run(w, pod(), node="mine")
        await w.settle()
        assert (await current(w)).status.phase == "Running"
        assert await w.client.get(Lease, "mine", "kube-node-lease")


async def test_other_nodes_are_left_alone() -> None:
    async with served(0) as w:
        await w.client.create(Node(metadata=ObjectMeta(name="theirs")))
        await run(w, pod(), node="theirs")
        await w.settle(30)
        assert (await w.client.get(Node, "theirs")).status.conditions == ()
        assert (await current(w)).status.phase == "Pending"


async def test_a_pod_is_created_then_runs() -> None:
    async with served(start_seconds=2.0) as w:
        created = await run(w, pod())
        await w.settle(1)
        status = (await current(w)).status
        assert status.phase == "Pending"
        assert status.container_statuses[0].state.waiting is not None
        assert status.container_statuses[0].state.waiting.reason == "ContainerCreating"
        await w.settle(2)
        running = await current(w)
        assert running.status.phase == "Running"
        assert set(conditions(running).values()) == {"True"}
        assert running.status.pod_ip.startswith("10.244.0.")
        assert running.status.observed_generation == running.metadata.generation
        await w.settle()
        assert [line.split()[1] for line in await w.told(created)] == ["Pulling", "Pulled", "Created", "Started"]


async def test_the_second_pod_finds_its_image_on_the_node() -> None:
    async with served() as w:
        await run(w, pod(), "a")
        await w.settle()
        second = await run(w, pod(), "b")
        await w.settle()
        told = await w.told(second)
        assert told[0].endswith('image "nginx:1" already present on machine and can be accessed by the pod')


async def test_pods_of_a_node_have_different_addresses() -> None:
    async with served(1) as w:
        for number in range(20):
            await run(w, pod(), f"p{number}")
        await w.settle()
        addresses = {p.status.pod_ip for p in (await w.client.list(Pod, "default")).items}
        assert len(addresses) == 20


@pytest.mark.parametrize(("code", "phase"), [("0", "Succeeded"), ("3", "Failed")])
async def test_a_scripted_pod_ends(code: str, phase: str) -> None:
    async with served() as w:
        script = {"kcore.dev/run-seconds": "30", "kcore.dev/exit-code": code}
        await run(w, pod(restart_policy="Never", annotations=script))
        await w.settle(29)
        assert (await current(w)).status.phase == "Running"
        await w.settle(2)
        ended = await current(w)
        assert ended.status.phase == phase
        assert ended.status.container_statuses[0].state.terminated is not None
        assert ended.status.container_statuses[0].state.terminated.exit_code == int(code)
        assert ended.status.pod_ip
        assert conditions(ended)["PodReadyToStartContainers"] == "False"


async def test_a_crashing_pod_backs_off_longer_and_longer() -> None:
    async with served() as w:
        created = await run(w, pod(annotations={"kcore.dev/exit-code": "1"}))
        await w.settle(5)
        status = (await current(w)).status.container_statuses[0]
        assert status.state.waiting is not None
        assert status.state.waiting.reason == "CrashLoopBackOff"
        assert status.restart_count == 1
        await w.settle(10 + 20 + 40)
        status = (await current(w)).status.container_statuses[0]
        assert status.restart_count == 4
        assert status.last_state.terminated is not None
        assert any("Warning BackOff Back-off restarting failed container app" in line for line in await w.told(created))


async def test_init_containers_run_one_after_another() -> None:
    async with served() as w:
        init = [container("one"), container("two")]
        script = {"kcore.dev/run-seconds.one": "10", "kcore.dev/run-seconds.two": "10"}
        await run(w, pod(init=init, annotations=script))
        for seconds, running in ((5, ["one"]), (10, ["two"]), (10, ["app"])):
            await w.settle(seconds)
            status = (await current(w)).status
            statuses = (*status.init_container_statuses, *status.container_statuses)
            assert [s.name for s in statuses if s.state.running] == running
        assert (await current(w)).status.phase == "Running"


async def test_readiness_set_by_hand_stands_until_something_happens() -> None:
    async with served() as w:
        await run(w, pod(annotations={"kcore.dev/run-seconds": "30"}))
        await w.settle(5)
        unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        await w.client.patch(Pod, "web", unready, "default", patch_type=PatchType.STRATEGIC, subresource="status")
        await w.settle(5)
        assert conditions(await current(w))["Ready"] == "False"
        await w.settle(25)
        assert (await current(w)).status.container_statuses[0].restart_count == 1
        assert conditions(await current(w))["Ready"] == "True"


async def test_pods_of_a_node_that_was_taken_for_dead_are_ready_again_with_it() -> None:
    async with served() as w:
        await run(w, pod())
        await w.settle(5)
        node = await w.client.get(Node, "node-0")
        gone = tuple(replace(c, status="Unknown") for c in node.status.conditions)
        await w.client.update(replace(node, status=replace(node.status, conditions=gone)), subresource="status")
        unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        await w.client.patch(Pod, "web", unready, "default", patch_type=PatchType.STRATEGIC, subresource="status")
        await w.settle(12)
        assert conditions(await w.client.get(Node, "node-0"))["Ready"] == "True"
        assert conditions(await current(w))["Ready"] == "True"


async def test_pods_that_are_given_up_while_their_node_comes_back_are_ready_again() -> None:
    async with served() as w:
        await run(w, pod())
        await w.settle(5)
        node = await w.client.get(Node, "node-0")
        gone = tuple(replace(c, status="Unknown") for c in node.status.conditions)
        await w.client.update(replace(node, status=replace(node.status, conditions=gone)), subresource="status")
        while conditions(await w.client.get(Node, "node-0"))["Ready"] != "True":
            await w.settle(0.5)
        unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        await w.client.patch(Pod, "web", unready, "default", patch_type=PatchType.STRATEGIC, subresource="status")
        await w.settle(12)
        assert conditions(await current(w))["Ready"] == "True"


async def test_an_opened_readiness_gate_makes_the_pod_ready() -> None:
    async with served() as w:
        await run(w, pod(gates=["example.com/go"]))
        await w.settle()
        assert conditions(await current(w))["Ready"] == "False"
        gate = {"status": {"conditions": [{"type": "example.com/go", "status": "True"}]}}
        await w.client.patch(Pod, "web", gate, "default", patch_type=PatchType.STRATEGIC, subresource="status")
        await w.settle()
        assert conditions(await current(w))["Ready"] == "True"


async def test_a_deleted_pod_stops_and_goes() -> None:
    async with served() as w:
        created = await run(w, pod(annotations={"kcore.dev/stop-seconds": "5"}))
        await w.settle()
        await w.client.delete(Pod, "web", "default")
        await w.settle(3)
        assert (await current(w)).metadata.deletion_timestamp is not None
        await w.settle(3)
        with pytest.raises(NotFound):
            await current(w)
        await w.settle()
        assert "Normal Killing Stopping container app" in await w.told(created)


async def test_a_pod_that_does_not_stop_is_killed_after_its_grace() -> None:
    async with served() as w:
        given = pod(annotations={"kcore.dev/stop-seconds": "500"})
        await run(w, replace(given, metadata=replace(given.metadata, finalizers=("example.com/hold",))))
        await w.settle()
        await w.client.delete(Pod, "web", "default", DeleteOptions(grace_period_seconds=20))
        await w.settle(15)
        assert (await current(w)).status.container_statuses[0].state.running is not None
        await w.settle(10)
        ended = (await current(w)).status
        assert ended.phase == "Failed"
        assert ended.container_statuses[0].state.terminated is not None
        assert ended.container_statuses[0].state.terminated.exit_code == 137
        await w.client.patch(Pod, "web", {"metadata": {"finalizers": None}}, "default")
        await w.settle()
        with pytest.raises(NotFound):
            await current(w)


async def test_a_pod_of_the_same_name_starts_anew() -> None:
    async with served(1) as w:
        await run(w, pod())
        await w.settle()
        first = await current(w)
        await w.client.delete(Pod, "web", "default", DeleteOptions(grace_period_seconds=0))
        await run(w, pod())
        await w.settle()
        second = await current(w)
        assert second.status.phase == "Running"
        assert second.status.container_statuses[0].container_id != first.status.container_statuses[0].container_id


async def test_pods_go_on_under_the_next_engine() -> None:
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        await w.tasks.start(w.informers.run)
        async with anyio.create_task_group() as first:
            await first.start(engine(w, 1).run)
            await run(w, pod())
            await w.settle()
            first.cancel_scope.cancel()
        before = await current(w)
        async with anyio.create_task_group() as second:
            await second.start(engine(w, 1).run)
            await run(w, pod(), "other")
            await w.settle(60)
            assert (await current(w)).status == before.status
            assert (await current(w, "other")).status.pod_ip != before.status.pod_ip
            second.cancel_scope.cancel()


async def test_a_node_that_is_deleted_is_served_no_more() -> None:
    async with served(1) as w:
        await w.client.delete(Node, "node-0")
        await w.settle()
        lease = await w.client.get(Lease, "node-0", "kube-node-lease")
        await w.settle(60)
        assert await w.client.get(Lease, "node-0", "kube-node-lease") == lease
        await run(w, pod())
        await w.settle()
        assert (await current(w)).status.phase == "Pending"


async def test_more_nodes_than_ranges_are_refused_and_said_so() -> None:
    async with world() as w:
        with pytest.raises(ValueError, match="room for 4 nodes, not 5"):
            engine(w, 5, cluster_cidr="10.244.0.0/22")


async def test_a_jobs_pod_ends_by_itself() -> None:
    async with served() as w:
        owner = OwnerReference(api_version="batch/v1", kind="Job", name="job", uid="u", controller=True)
        given = pod(restart_policy="Never")
        await run(w, replace(given, metadata=replace(given.metadata, owner_references=(owner,))))
        await w.settle(5)
        assert (await current(w)).status.phase == "Succeeded"
