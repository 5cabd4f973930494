"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

from kcore.proxy.endpoint import Endpoint
from kcore.proxy.userspace.balancer import CLIENTS_MAX, Balancer

ENDS = tuple(Endpoint(f"10.0.0.{i}", 80) for i in (1, 2, 3))


def first(balancer: Balancer, client: str = "c", now: float = 0.0) -> str:
    return str(balancer.choose(client, now)[0])[7]


def test_each_has_its_turn_and_the_same_share() -> None:
    balancer = Balancer(ENDS)
    assert "".join(first(balancer) for _ in range(7)) == "1231231"
    assert set(Counter(first(balancer) for _ in range(3000)).values()) == {1000}


def test_the_others_stand_behind_the_chosen_one() -> None:
    balancer = Balancer(ENDS)
    first(balancer)
    assert [str(e)[7] for e in balancer.choose("c", 0)] == ["2", "3", "1"]


def test_the_turn_survives_a_change_of_endpoints() -> None:
    balancer = Balancer(ENDS)
    first(balancer)
    balancer.update((ENDS[0], ENDS[2], Endpoint("10.0.0.4", 80)), 0)
    assert "".join(first(balancer) for _ in range(3)) == "341"


def test_a_client_keeps_its_endpoint_until_it_was_away_for_too_long() -> None:
    balancer = Balancer(ENDS, affinity_seconds=10)
    assert first(balancer, "a", 0) == "1"
    assert first(balancer, "b", 0) == "2"
    assert first(balancer, "a", 9) == "1"
    assert first(balancer, "a", 18.9) == "1"
    assert first(balancer, "a", 29) == "3"
    assert list(balancer.clients(29)) == ["a"]


def test_a_client_whose_endpoint_is_gone_gets_another() -> None:
    balancer = Balancer(ENDS, affinity_seconds=10)
    first(balancer, "a")
    balancer.update(ENDS[1:], 10)
    assert first(balancer, "a") == "2"


def test_a_client_stays_where_it_was_at_last_served() -> None:
    balancer = Balancer(ENDS, affinity_seconds=10)
    balancer.choose("a", 0)
    balancer.remember("a", ENDS[2], 0)
    assert first(balancer, "a", 1) == "3"


def test_nobody_to_choose() -> None:
    assert Balancer().choose("a", 0) == ()


def test_no_more_clients_are_remembered_than_fit() -> None:
    balancer = Balancer(ENDS, affinity_seconds=10)
    for i in range(CLIENTS_MAX + 5):
        balancer.choose(str(i), 0)
    assert len(balancer.clients(0)) == CLIENTS_MAX
