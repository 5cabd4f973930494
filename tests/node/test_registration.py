"""What nodes are told on the command line, and how they register."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import Node, Taint
from kcore.api.errors import NotFound
from kcore.node.options import NodeOptions, parse_labels, parse_taints
from kcore.node.registration import NodeShape
from tests.node.test_engine import served


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("node_labels", ["disk"], "'disk' is not such as name=value"),
        ("node_labels", ["node-role.kubernetes.io/master=x"], "unknown label node-role.kubernetes.io/master"),
        ("register_with_taints", ["a=b"], "is not KEY=VALUE:EFFECT"),
        ("register_with_taints", ["a=b:Never"], "is not KEY=VALUE:EFFECT"),
        ("node_capacity", ["cpu=many"], "cpu=many"),
        ("manifest_url_header", ["nonsense"], "'nonsense' is not NAME:VALUE"),
        ("file_check_frequency", 0.0, "--file-check-frequency must be greater than 0"),
    ],
)
def test_nonsense_is_refused(field: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        NodeOptions(**{field: value})  # type: ignore[arg-type]


def test_labels_and_taints_are_read() -> None:
    assert parse_labels(["a=b", "topology.kubernetes.io/zone=z", "x.node.kubernetes.io/y="]) == {
        "a": "b",
        "topology.kubernetes.io/zone": "z",
        "x.node.kubernetes.io/y": "",
    }
    assert parse_taints(["k=v:NoSchedule", "k:NoExecute"]) == (
        Taint(key="k", value="v", effect="NoSchedule"),
        Taint(key="k", effect="NoExecute"),
    )


def test_capacity_may_be_given() -> None:
    shape = NodeShape().with_capacity({"cpu": "4", "ephemeral-storage": "1Gi", "example.com/gpu": "2"})
    assert (shape.cpu, shape.ephemeral_storage, shape.capacity["example.com/gpu"]) == ("4", "1Gi", "2")
    assert int(NodeShape.of_machine().cpu) >= 1


async def test_nodes_register_as_they_were_told() -> None:
    options = NodeOptions(
        node_labels=["disk=ssd"],
        register_with_taints=["a=b:NoSchedule"],
        node_capacity=["cpu=4", "pods=9"],
        cloud_provider="external",
    )
    async with served(1, node=options) as w:
        node = await w.client.get(Node, "node-0")
        assert node.metadata.labels["disk"] == "ssd"
        assert {f"{t.key}={t.value}:{t.effect}" for t in node.spec.taints} >= {
            "a=b:NoSchedule",
            "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule",
        }
        assert (node.status.capacity["cpu"], node.status.allocatable["pods"]) == ("4", "9")


async def test_nodes_need_not_register_themselves() -> None:
    async with served(1, node=NodeOptions(register_node=False)) as w:
        await w.settle(30)
        with pytest.raises(NotFound):
            await w.client.get(Node, "node-0")


async def test_a_node_by_itself_leaves_others_alone() -> None:
    async with served(0, name_prefix="alone", stand_alone=True, host_address="192.0.2.1") as w:
        from kcore.api.meta_v1 import ObjectMeta

        await w.client.create(Node(metadata=ObjectMeta(name="other", annotations={"kcore.dev/runtime": "fake"})))
        await w.settle(30)
        alone = await w.client.get(Node, "alone")
        assert alone.status.addresses[0].address == "192.0.2.1"
        assert "kcore.dev/runtime" not in alone.metadata.annotations
        assert any(c.type == "Ready" and c.status == "True" for c in alone.status.conditions)
        assert (await w.client.get(Node, "other")).status.conditions == ()
