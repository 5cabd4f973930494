"""The arithmetic of rollouts. A ReplicaSet is written as `name:size/available`, the newest last."""

from __future__ import annotations

import pytest

from kcore.api.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.revisions import annotations_for, replicas_annotations
from kcore.controllers.rollout import (
    Resize,
    expired,
    max_surge,
    max_unavailable,
    new_size,
    raise_new,
    resize_all,
    shrink_old,
)


def deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%", limit: int = 10) -> Deployment:
    update = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    strategy = DeploymentStrategy(type="RollingUpdate", rolling_update=update)
    return Deployment(spec=DeploymentSpec(replicas=replicas, strategy=strategy, revision_history_limit=limit))


def replica_set(text: str, known: int | None = None, surge: int = 0, age: int = 0) -> ReplicaSet:
    name, _, sizes = text.partition(":")
    size, _, available = sizes.partition("/")
    annotations = replicas_annotations(known, known + surge) if known is not None else {}
    return ReplicaSet(
        metadata=ObjectMeta(
            name=name, uid=name, annotations=annotations, creation_timestamp=f"2024-01-01T00:00:{age:02}Z"
        ),
        spec=ReplicaSetSpec(replicas=int(size)),
        status=ReplicaSetStatus(replicas=int(size), available_replicas=int(available or size)),
    )


def sets(text: str, known: int | None = None, surge: int = 0) -> list[ReplicaSet]:
    return [replica_set(part, known, surge, age) for age, part in enumerate(text.split())]


def written(resizes: list[Resize]) -> str:
    return " ".join(f"{r.replica_set.metadata.name}:{r.replicas}" for r in resizes)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (4, 0, "20%", (0, 1)),
        (10, 0, 0, (0, 1)),
        (10, "100%", 20, (10, 10)),
        (0, "25%", "25%", (0, 0)),
        (3, 2, 1, (2, 1)),
    ],
)
def test_bounds_of_a_rollout(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    d = deployment(replicas, surge, unavailable)
    assert (max_surge(d), max_unavailable(d)) == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "new", "everything", "expected"),
    [
        (10, 3, 0, 10, 3),
        (10, 3, 3, 13, 3),
        (10, 3, 3, 11, 5),
        (10, 3, 8, 8, 10),
        (10, 0, 0, 10, 0),
        (10, 0, 0, 8, 2),
    ],
)
def test_new_replica_set_grows_as_far_as_surge_allows(
    replicas: int, surge: int, new: int, everything: int, expected: int
) -> None:
    assert new_size(deployment(replicas, surge, 2), new, everything) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a:10", "n:3/0", "a:8"),
        ("a:8", "n:5/0", ""),
        ("a:8", "n:5/3", "a:5"),
        ("a:10/4", "n:3/0", "a:8"),  # what is broken goes first, within the same bound
        ("a:5/0 b:5/5", "n:3/3", "a:0"),
        ("a:2 b:3", "n:8/8", "a:0 b:0"),
        ("a:0 b:0", "n:10", ""),
    ],
)
def test_old_replica_sets_shrink_as_far_as_availability_allows(old: str, new: str, expected: str) -> None:
    d = deployment(10, 3, 2)
    assert written(shrink_old(d, replica_set(new, age=9), sets(old))) == expected


def test_new_replica_set_beyond_the_wanted_size_shrinks_at_once() -> None:
    assert written(raise_new(deployment(3), replica_set("n:5"), [])) == "n:3"


@pytest.mark.parametrize(
    ("replicas", "old", "new", "expected"),
    [
        (6, "a:3", None, "a:6"),  # the only one that runs takes all
        (6, "a:0", "n:3", "n:6"),
        (6, "a:0 b:0", "n:0", "n:6"),
        (20, "a:5", "n:5", "n:10 a:10"),  # in proportion
        (5, "a:5", "n:5", "a:2 n:3"),  # of equals the older shrinks first
        (11, "a:5", "n:5", "n:6 a:5"),  # of equals the newer grows first
        (0, "a:5", "n:5", "a:0 n:0"),
        (15, "a:8", "n:2", "a:12 n:3"),
    ],
)
def test_resize_in_the_middle_of_a_rollout_keeps_the_mix(
    replicas: int, old: str, new: str | None, expected: str
) -> None:
    d = deployment(replicas, 0, 1)
    newest = replica_set(new, known=10, age=9) if new is not None else None
    assert written(resize_all(d, newest, sets(old, known=10))) == expected


def test_resize_of_a_finished_rollout_empties_what_is_old() -> None:
    new = replica_set("n:3", known=3, age=9)
    assert written(resize_all(deployment(3), new, sets("a:2 b:0"))) == "a:0"


def test_replica_sets_beyond_the_history_limit_expire_oldest_revision_first() -> None:
    old = [
        ReplicaSet(
            metadata=ObjectMeta(name=name, annotations={"deployment.kubernetes.io/revision": revision}),
            spec=ReplicaSetSpec(replicas=size),
        )
        for name, revision, size in (("c", "3", 0), ("a", "1", 1), ("b", "2", 0), ("d", "10", 0))
    ]
    assert [rs.metadata.name for rs in expired(deployment(1, limit=2), old)] == ["b"]
    assert expired(deployment(1, limit=4), old) == []


@pytest.mark.parametrize(
    ("standing", "revision", "expected"),
    [
        ({}, 1, {"deployment.kubernetes.io/revision": "1"}),
        (
            {"deployment.kubernetes.io/revision": "1"},
            3,
            {"deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1"},
        ),
        (
            {"deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1"},
            5,
            {"deployment.kubernetes.io/revision": "5", "deployment.kubernetes.io/revision-history": "1,3"},
        ),
        ({"deployment.kubernetes.io/revision": "3"}, 2, {"deployment.kubernetes.io/revision": "3"}),
    ],
)
def test_replica_set_remembers_which_revisions_it_was(
    standing: dict[str, str], revision: int, expected: dict[str, str]
) -> None:
    noted = {"kubernetes.io/change-cause": "because", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    d = Deployment(metadata=ObjectMeta(annotations={**noted, "deployment.kubernetes.io/revision": "9"}))
    assert annotations_for(d, standing, revision) == {"kubernetes.io/change-cause": "because", **expected}
