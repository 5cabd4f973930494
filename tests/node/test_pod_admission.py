"""The node's own last look at pods, and what it turns away."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Container, ContainerPort, Node, NodeSpec, NodeStatus, Pod, ResourceRequirements, Taint
from kcore.api.meta_v1 import ObjectMeta
from kcore.node.pod_admission import NodeLoad, demand_of, rejection
from kcore.node.pod_phase import TERMINAL
from tests.node.pods import container, pod
from tests.node.test_engine import current, run, served


def asking(cpu: str = "", memory: str = "", port: int = 0, ip: str = "", selector: str = "") -> Pod:
    given = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    ports = (ContainerPort(container_port=port, host_port=port, host_ip=ip),) if port else ()
    one: Container = replace(container(), resources=ResourceRequirements(requests=given), ports=ports)
    made = pod(containers=[one])
    return replace(made, spec=replace(made.spec, node_selector={"disk": selector} if selector else {}))


NODE = Node(
    metadata=ObjectMeta(name="node-0", labels={"disk": "ssd"}),
    status=NodeStatus(allocatable={"cpu": "2", "memory": "1Gi", "pods": "2"}),
)


def reason(wanted: Pod, others: Sequence[Pod] = (), node: Node = NODE) -> tuple[str, str]:
    load = NodeLoad()
    for number, other in enumerate(others):
        load.add(str(number), demand_of(other))
    found = rejection(wanted, demand_of(wanted), node, load)
    return (found.reason, found.message) if found is not None else ("", "")


def too_much(resource: str, requested: int, used: int, capacity: int) -> tuple[str, str]:
    return (
        f"OutOf{resource}",
        f"Pod was rejected: Node didn't have enough resource: {resource}, "
        f"requested: {requested}, used: {used}, capacity: {capacity}",
    )


@pytest.mark.parametrize(
    ("wanted", "others", "expected"),
    [
        (asking(), [], ("", "")),
        (asking(cpu="2"), [], ("", "")),
        (asking(cpu="3"), [], too_much("cpu", 3000, 0, 2000)),
        (asking(cpu="500m"), [asking(cpu="1600m")], too_much("cpu", 500, 1600, 2000)),
        (asking(memory="2Gi"), [], too_much("memory", 2 * 2**30, 0, 2**30)),
        (asking(), [asking(), asking()], too_much("pods", 1, 2, 2)),
        (asking(selector="ssd"), [], ("", "")),
    ],
)
def test_resources(wanted: Pod, others: Sequence[Pod], expected: tuple[str, str]) -> None:
    assert reason(wanted, others) == expected


@pytest.mark.parametrize(
    ("wanted", "other", "taken"),
    [
        (asking(port=80), asking(port=80), True),
        (asking(port=80), asking(port=81), False),
        (asking(port=80, ip="10.0.0.1"), asking(port=80, ip="10.0.0.2"), False),
        (asking(port=80, ip="10.0.0.1"), asking(port=80), True),
    ],
)
def test_ports_of_the_host(wanted: Pod, other: Pod, taken: bool) -> None:
    assert (reason(wanted, [other])[0] == "NodePorts") is taken


def test_places() -> None:
    assert reason(asking(selector="hdd")) == (
        "NodeAffinity",
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    )
    tainted = replace(NODE, spec=NodeSpec(taints=(Taint(key="gone", effect="NoExecute"),)))
    assert reason(asking(), node=tainted)[0] == "TaintToleration"


def test_what_has_ended_gives_its_share_back() -> None:
    load = NodeLoad()
    load.add("a", demand_of(asking(cpu="2")))
    load.remove("a")
    assert rejection(asking(cpu="2"), demand_of(asking(cpu="2")), NODE, load) is None


async def test_a_pod_that_does_not_fit_fails_and_says_why() -> None:
    async with served(1) as w:
        created = await run(w, asking(cpu="1000"))
        await w.settle(5)
        failed = await current(w)
        assert (failed.status.phase, failed.status.reason) == ("Failed", "OutOfcpu")
        assert failed.status.container_statuses == ()
        assert any(line.startswith("Warning OutOfcpu Pod was rejected") for line in await w.told(created))


async def test_room_that_was_given_back_is_used_again() -> None:
    async with served(1) as w:
        ends = {"kcore.dev/run-seconds": "5"}
        first = asking(cpu="32")
        spec = replace(first.spec, restart_policy="Never")
        await run(w, replace(first, spec=spec, metadata=replace(first.metadata, annotations=ends)), "first")
        await w.settle(10)
        assert (await current(w, "first")).status.phase in TERMINAL
        await run(w, asking(cpu="32"), "second")
        await w.settle(5)
        assert (await current(w, "second")).status.phase == "Running"
