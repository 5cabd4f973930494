from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.apps_v1 import RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy
from kcore.api.core_v1 import Pod, PodCondition, PodStatus
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.ordering import lineup, may_go, outdated, takes_current


def owner(
    replicas: int, partition: int | None = 0, limit: int | str | None = None, policy: str = "OrderedReady"
) -> StatefulSet:
    rolling = RollingUpdateStatefulSetStrategy(partition=partition, max_unavailable=limit)
    strategy = StatefulSetUpdateStrategy(
        type="RollingUpdate", rolling_update=rolling if partition is not None else None
    )
    spec = StatefulSetSpec(replicas=replicas, update_strategy=strategy, pod_management_policy=policy)
    return StatefulSet(metadata=ObjectMeta(name="db"), spec=spec)


def pods(text: str) -> list[Pod]:
    """One letter a pod: `o` old, `n` new, capital: ready; `x` old and on its way out."""
    return [_pod(ordinal, letter) for ordinal, letter in enumerate(text)]


def _pod(ordinal: int, letter: str) -> Pod:
    status = "True" if letter.isupper() else "False"
    ready = PodCondition(type="Ready", status=status, last_transition_time="2026-01-01T00:00:00Z")
    metadata = ObjectMeta(
        name=f"db-{ordinal}", labels={"controller-revision-hash": "new" if letter.lower() == "n" else "old"}
    )
    if letter == "x":
        metadata = replace(metadata, deletion_timestamp="2026-01-01T00:00:00Z")
    return Pod(metadata=metadata, status=PodStatus(phase="Running", conditions=(ready,)))


def names(found: list[Pod]) -> list[int]:
    return [int(pod.metadata.name.removeprefix("db-")) for pod in found]


@pytest.mark.parametrize(
    ("text", "limit", "partition", "expected"),
    [
        ("OOOO", None, 0, [3]),
        ("OOON", None, 0, [2]),
        ("OOOn", None, 0, []),  # the new one has to be available first
        ("OOOo", None, 0, [3]),  # an old one that is broken goes all the same
        ("OOOx", None, 0, []),
        ("OONN", None, 2, []),
        ("OOOO", 2, 0, [3, 2]),
        ("OOOn", 2, 0, [2]),
        ("oOOn", 2, 0, []),  # two are missing already
        ("OOOO", "50%", 0, [3, 2]),
        ("OOOO", "10%", 0, [3]),  # rounded down, but never to none
        ("OOOO", 9, 1, [3, 2, 1]),
    ],
)
def test_which_pods_a_rollout_replaces_next(
    text: str, limit: int | str | None, partition: int, expected: list[int]
) -> None:
    found = lineup(owner(len(text), partition, limit), pods(text), now=1e10)
    assert names(outdated(found, "new")) == expected


@pytest.mark.parametrize(
    ("text", "replicas", "policy", "expected"),
    [
        ("NNNN", 2, "OrderedReady", [3]),
        ("NNNn", 2, "OrderedReady", [3]),  # the lowest that is unwell may go
        ("NNnN", 2, "OrderedReady", [3]),
        ("NNnn", 2, "OrderedReady", []),  # not before the lower one is well
        ("NNNx", 2, "OrderedReady", []),
        ("NNnx", 2, "Parallel", [2]),
        ("NNNN", 0, "Parallel", [3, 2, 1, 0]),
        ("NN", 2, "OrderedReady", []),
    ],
)
def test_which_pods_may_go_when_there_are_too_many(text: str, replicas: int, policy: str, expected: list[int]) -> None:
    assert names(may_go(lineup(owner(replicas, policy=policy), pods(text), now=1e10))) == expected


def test_without_a_partition_pods_below_the_rollout_keep_their_revision() -> None:
    assert takes_current(owner(3, partition=None), 1, current_replicas=2)
    assert not takes_current(owner(3, partition=None), 2, current_replicas=2)
