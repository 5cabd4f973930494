from __future__ import annotations

import pytest

from kcore.controllers.nodezones import Zones, ZoneState
from kcore.controllers.options import ControllerOptions


def zones(ready: int, unready: int, zone: str = "a", known: Zones | None = None) -> Zones:
    found = known or Zones(ControllerOptions())
    for i in range(ready):
        found.note(f"{zone}-ready{i}", zone, True)
    for i in range(unready):
        found.note(f"{zone}-unready{i}", zone, False)
    return found


@pytest.mark.parametrize(
    ("ready", "unready", "state"),
    [
        (3, 0, ZoneState.NORMAL),
        (1, 2, ZoneState.NORMAL),
        (3, 3, ZoneState.NORMAL),
        (2, 3, ZoneState.PARTIAL),
        (1, 9, ZoneState.PARTIAL),
        (0, 1, ZoneState.FULL),
        (0, 9, ZoneState.FULL),
    ],
)
def test_zone_is_judged_by_the_share_of_unhealthy_nodes(ready: int, unready: int, state: ZoneState) -> None:
    assert zones(ready, unready).state("a") is state


def test_normal_zone_gives_a_turn_every_ten_seconds() -> None:
    found = zones(9, 3)
    assert [found.wait(f"a-unready{i}", 100.0) for i in range(3)] == [0, 10, 20]
    assert found.wait("a-unready1", 104.0) == 6


def test_node_that_comes_back_loses_its_turn() -> None:
    found = zones(9, 2)
    found.wait("a-unready0", 0.0)
    found.note("a-unready0", "a", True)
    found.note("a-unready0", "a", False)
    assert found.wait("a-unready0", 5.0) == 5


def test_turn_of_a_node_that_comes_back_falls_to_those_behind_it() -> None:
    found = zones(9, 3)
    assert [found.wait(f"a-unready{i}", 0.0) for i in range(3)] == [0, 10, 20]
    assert found.note("a-unready1", "a", True) == {"a-unready2"}
    assert found.wait("a-unready2", 4.0) == 6


def test_nobody_waits_for_a_node_that_is_late() -> None:
    found = zones(9, 4)
    assert [found.wait(f"a-unready{i}", 0.0) for i in range(4)] == [0, 10, 20, 30]
    assert found.wait("a-unready2", 20.0) == 0
    assert [found.wait(f"a-unready{i}", 20.0) for i in (1, 3)] == [10, 20]


@pytest.mark.parametrize(("ready", "unready", "wait"), [(2, 8, None), (20, 40, 100.0)])
def test_disrupted_zone_is_slow_if_it_is_large_and_still_if_it_is_small(
    ready: int, unready: int, wait: float | None
) -> None:
    found = zones(ready, unready)
    found.wait("a-unready0", 0.0)
    assert found.wait("a-unready1", 0.0) == wait


def test_lost_zone_is_emptied_while_another_is_well() -> None:
    found = zones(3, 0, "b", zones(0, 3))
    assert not found.all_disrupted
    assert found.wait("a-unready0", 0.0) == 0


def test_nothing_is_emptied_when_all_zones_are_lost() -> None:
    found = zones(0, 3, "b", zones(0, 3))
    assert found.all_disrupted
    assert found.wait("a-unready0", 0.0) is None
    assert found.note("b-unready0", "b", True) >= {"a-unready0", "a-unready1", "b-unready1"}
    assert found.wait("a-unready0", 0.0) == 0


def test_zone_without_nodes_is_forgotten() -> None:
    found = zones(0, 1, "b", zones(1, 0))
    found.forget("b-unready0")
    assert found.state("b") is ZoneState.NORMAL
