from __future__ import annotations

from collections.abc import Sequence

import pytest

from kcore.api.core_v1 import ConfigMap
from kcore.api.errors import Expired, ServiceUnavailable
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Listed, WatchEvent, WatchType
from kcore.client.reflector import (
    Apply,
    Batch,
    Effect,
    Ended,
    Failed,
    Listing,
    Observation,
    Page,
    Replace,
    State,
    Wait,
    Watching,
    step,
)


def obj(name: str, version: int = 1) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="ns", resource_version=str(version)))


A, B = obj("a"), obj("b")
CHANGES = (WatchEvent(WatchType.MODIFIED, obj("a", 7)), WatchEvent(WatchType.DELETED, obj("b", 8)))
GONE = Failed(Expired("too old resource version"))
DOWN = Failed(ServiceUnavailable("connection refused"))

CASES: dict[str, tuple[State[ConfigMap], Observation[ConfigMap], State[ConfigMap], Sequence[Effect[ConfigMap]]]] = {
    "a list fills the cache and is watched from": (
        Listing(),
        Page(Listed([A, B], "5")),
        Watching("5"),
        [Replace((A, B))],
    ),
    "a first page waits for the others": (Listing(), Page(Listed([A], "5", "next")), Listing("next", (A,)), []),
    "the last page completes those before": (
        Listing("next", (A,)),
        Page(Listed([B], "5")),
        Watching("5"),
        [Replace((A, B))],
    ),
    "a failed list is tried again later": (Listing(), DOWN, Listing(failures=1), [Wait(0.8)]),
    "a list that fails often is tried less often": (
        Listing(failures=3),
        DOWN,
        Listing(failures=4),
        [Wait(6.4)],
    ),
    "the wait does not grow for ever": (Listing(failures=40), DOWN, Listing(failures=41), [Wait(30.0)]),
    "an expired continue token starts the list anew": (Listing("next", (A,)), GONE, Listing(failures=1), []),
    "events move the cache and the point to resume from": (
        Watching("5"),
        Batch(CHANGES),
        Watching("8", fruitless=False),
        [Apply(CHANGES)],
    ),
    "a watch that ended is resumed at once": (Watching("8", fruitless=False), Ended(), Watching("8"), []),
    "a watch that brought nothing is resumed later": (
        Watching("8"),
        Ended(),
        Watching("8", failures=1),
        [Wait(0.8)],
    ),
    "a watch that broke is resumed later": (
        Watching("8", fruitless=False, failures=2),
        DOWN,
        Watching("8", failures=3),
        [Wait(3.2)],
    ),
    "events forgive earlier failures": (
        Watching("5", failures=4),
        Batch(CHANGES),
        Watching("8", fruitless=False),
        [Apply(CHANGES)],
    ),
    "history that is gone is listed anew": (Watching("5"), GONE, Listing(), []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_reflector_steps(
    case: tuple[State[ConfigMap], Observation[ConfigMap], State[ConfigMap], Sequence[Effect[ConfigMap]]],
) -> None:
    state, seen, next_state, effects = case
    after, done = step(state, seen)
    assert (after, list(done)) == (next_state, list(effects))
