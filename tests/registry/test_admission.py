from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import Forbidden
from tests.registry.conftest import Api


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:1.0"}], **spec},
    }


def tolerated(made: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(t.get("key", ""), t.get("tolerationSeconds")) for t in made["spec"]["tolerations"]]


NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], [(NOT_READY, 300), (UNREACHABLE, 300)]),
        ([{"operator": "Exists"}], [("", None)]),
        (
            [{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
            [(NOT_READY, 5), (UNREACHABLE, 300)],
        ),
        (
            [{"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}],
            [(UNREACHABLE, None), (NOT_READY, 300), (UNREACHABLE, 300)],
        ),
    ],
)
async def test_pods_tolerate_absent_nodes_for_five_minutes(
    api: Api, given: list[dict[str, Any]], expected: list[tuple[str, int | None]]
) -> None:
    assert tolerated(await api.create("pods", pod(tolerations=given))) == expected


async def test_pods_without_a_class_have_priority_zero(api: Api) -> None:
    spec = (await api.create("pods", pod()))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in spec


@pytest.mark.parametrize(
    ("name", "value"), [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
)
async def test_system_classes_are_always_there(api: Api, name: str, value: int) -> None:
    assert (await api.create("pods", pod(priorityClassName=name)))["spec"]["priority"] == value


async def priority_class(api: Api, name: str, value: int, **more: Any) -> None:
    await api.create("priorityclasses", {"metadata": {"name": name}, "value": value, **more})


async def test_default_class_is_taken_where_none_is_named(api: Api) -> None:
    await priority_class(api, "usual", 7, globalDefault=True, preemptionPolicy="Never")
    spec = (await api.create("pods", pod()))["spec"]
    assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == ("usual", 7, "Never")


async def test_only_one_class_is_the_default(api: Api) -> None:
    await priority_class(api, "one", 1, globalDefault=True)
    with pytest.raises(Forbidden, match=r"PriorityClass one is already marked as default\. Only one default can exist"):
        await priority_class(api, "two", 2, globalDefault=True)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        (
            {"priorityClassName": "high", "priority": 3},
            "the integer value of priority (3) must not be provided in pod spec; "
            "priority admission controller computed 9 from the given PriorityClass name",
        ),
        (
            {"priorityClassName": "high", "preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; "
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
    ],
)
async def test_pods_do_not_choose_their_priority(api: Api, spec: dict[str, Any], why: str) -> None:
    await priority_class(api, "high", 9)
    with pytest.raises(Forbidden) as refusal:
        await api.create("pods", pod(**spec))
    assert refusal.value.message == f'pods "p" is forbidden: {why}'
