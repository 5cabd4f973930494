"""Who waits for whom: schemas, seats that levels lend to each other, and queues that are served fairly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration, QueuingConfiguration
from kcore.registry.access import Attributes
from kcore.registry.flow_control.bootstrap import (
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)
from kcore.registry.flow_control.levels import Room
from kcore.registry.flow_control.queues import Queues, Ticket, deal
from kcore.registry.flow_control.schemas import distinguisher, in_precedence, matching
from kcore.registry.request import User
from tests.registry.conftest import Api

KNOWN = ("system:authenticated",)
UNKNOWN = "system:unauthenticated"
SCHEMAS = in_precedence((*MANDATORY_SCHEMAS, *SUGGESTED_SCHEMAS))
LEVELS = (*MANDATORY_LEVELS, *SUGGESTED_LEVELS)


def by(name: str, *groups: str, verb: str = "list", resource: str = "pods", namespace: str = "ns") -> Attributes:
    group, _, plural = resource.rpartition("/") if "." in resource else ("", "", resource)
    return Attributes(User(name, groups=(*groups, *KNOWN)), verb, group, plural, "", namespace)


def at(path: str, *groups: str) -> Attributes:
    return Attributes(User("nobody", groups=groups), "get", path=path)


NODES = "system:nodes"
ACCOUNTS = "system:serviceaccounts"
LEASES = "coordination.k8s.io/leases"
MANAGER = "system:kube-controller-manager"


@pytest.mark.parametrize(
    ("asked", "schema", "level"),
    [
        (by("root", "system:masters"), "exempt", "exempt"),
        (by("jane"), "global-default", "global-default"),
        (at("/version", UNKNOWN), "global-default", "global-default"),
        (at("/healthz", UNKNOWN), "probes", "exempt"),
        (at("/healthz/etcd", UNKNOWN), "global-default", "global-default"),
        (at("/healthz"), None, None),
        (by("system:node:a", NODES), "system-nodes", "system"),
        (by("system:node:a", NODES, verb="update", resource="nodes", namespace=""), "system-node-high", "node-high"),
        (by("system:node:a", NODES, verb="update", resource=LEASES), "system-node-high", "node-high"),
        (by(MANAGER, verb="update", resource=LEASES), "system-leader-election", "leader-election"),
        (by(MANAGER, verb="patch", resource=LEASES), "kube-controller-manager", "workload-high"),
        (by(MANAGER, verb="update", resource="endpoints"), "endpoint-controller", "workload-high"),
        (by("system:kube-scheduler"), "kube-scheduler", "workload-high"),
        (by("system:serviceaccount:kube-system:x", ACCOUNTS), "kube-system-service-accounts", "workload-high"),
        (by("system:serviceaccount:ns:x", ACCOUNTS), "service-accounts", "workload-low"),
    ],
)
def test_schema_of_a_request(asked: Attributes, schema: str | None, level: str | None) -> None:
    found = matching(SCHEMAS, asked)
    assert (found.metadata.name if found else None) == schema
    assert (found.spec.priority_level_configuration.name if found else None) == level


def test_flows_are_told_apart_by_user_or_by_namespace() -> None:
    of = {schema.metadata.name: schema for schema in SCHEMAS}
    assert distinguisher(of["global-default"], by("jane")) == "jane"
    assert distinguisher(of["kube-scheduler"], by("jane")) == "ns"
    assert distinguisher(of["exempt"], by("jane")) == ""


def test_equal_precedence_is_decided_by_name() -> None:
    schemas = [msgspec.convert({"metadata": {"name": n}, "spec": {"matchingPrecedence": 7}}, FlowSchema) for n in "ba"]
    assert [schema.metadata.name for schema in in_precedence(schemas)] == ["a", "b"]


async def test_objects_of_a_new_cluster_are_valid_and_complete(api: Api) -> None:
    every: list[Any] = [*LEVELS, *SCHEMAS]
    for obj in every:
        resource = "flowschemas" if isinstance(obj, FlowSchema) else "prioritylevelconfigurations"
        stored = await api.create(resource, msgspec.to_builtins(obj))
        assert stored["spec"] == msgspec.json.decode(msgspec.json.encode(obj.spec)), obj.metadata.name


# Seats


def level(name: str, shares: int, lendable: int = 0, borrowing: int | None = None) -> PriorityLevelConfiguration:
    limited: dict[str, Any] = {"nominalConcurrencyShares": shares, "lendablePercent": lendable}
    if borrowing is not None:
        limited["borrowingLimitPercent"] = borrowing
    limited["limitResponse"] = {"type": "Reject"}
    document = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}
    return msgspec.convert(document, PriorityLevelConfiguration)


def taken(room: Room, name: str) -> int:
    """How many seats the level gets, if it wants all."""
    count = 0
    while room.take(room.levels[name]):
        count += 1
    return count


def test_seats_are_shared_out_by_shares() -> None:
    room = Room(LEVELS, 600)
    assert {name: found.nominal for name, found in room.levels.items()} == {
        "exempt": 0,
        "catch-all": 13,
        "system": 74,
        "node-high": 98,
        "leader-election": 25,
        "workload-high": 98,
        "workload-low": 245,
        "global-default": 49,
    }


@pytest.mark.parametrize(
    ("others_lendable", "borrowing", "seats"),
    [(0, None, 5), (100, None, 10), (40, None, 7), (100, 20, 6), (100, 0, 5)],
)
def test_level_borrows_what_others_lend(others_lendable: int, borrowing: int | None, seats: int) -> None:
    room = Room([level("a", 1, borrowing=borrowing), level("b", 1, others_lendable)], 10)
    assert taken(room, "a") == seats


def test_what_is_lent_comes_back_when_the_request_is_done() -> None:
    room = Room([level("a", 1), level("b", 1, 100)], 10)
    assert taken(room, "a") == 10
    assert taken(room, "b") == 0
    room.give_back(room.levels["a"])
    assert taken(room, "b") == 1
    assert taken(room, "a") == 0


def test_guaranteed_seats_are_there_whatever_others_do() -> None:
    room = Room([level("a", 1, 50), level("b", 1, 50)], 20)
    assert taken(room, "a") == 15
    assert taken(room, "b") == 5


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=200))
def test_no_more_seats_are_taken_than_there_are(moves: list[tuple[str, bool]]) -> None:
    room = Room([level("a", 3, 50), level("b", 2, 100), level("c", 1, 0, 50)], 12)
    for name, takes in moves:
        held = room.levels[name]
        if takes:
            room.take(held)
        elif held.in_use:
            room.give_back(held)
        assert sum(each.in_use for each in room.levels.values()) <= room.seats
        for each in room.levels.values():  # a guaranteed seat is never refused
            if each.in_use < each.guaranteed:
                assert room.take(each)
                room.give_back(each)


# Queues


def nothing() -> None: ...


def joined(queues: Queues, flow: str, seat: Callable[[], None] = nothing) -> Ticket:
    ticket = queues.join(flow, seat)
    assert ticket is not None
    return ticket


def test_hands_are_dealt_by_the_flow_and_differ() -> None:
    hands = {flow: deal(f"flow-{flow}", 64, 6) for flow in range(500)}
    assert hands[3] == deal("flow-3", 64, 6)
    assert all(len(set(hand)) == 6 for hand in hands.values())
    used = Counter(card for hand in hands.values() for card in hand)
    assert set(used) == set(range(64))
    assert max(used.values()) < 3 * min(used.values())
    elephant = set(hands[0])
    assert sum(set(hand) <= elephant for hand in hands.values()) == 1


def test_full_queue_takes_no_more() -> None:
    queues = Queues(QueuingConfiguration(queues=1, hand_size=1, queue_length_limit=2))
    joined(queues, "a")
    joined(queues, "b")
    assert queues.join("c", nothing) is None
    assert queues.waiting == 2


def test_flow_that_asks_for_much_does_not_hold_up_one_that_asks_for_little() -> None:
    queues = Queues(QueuingConfiguration(queues=64, hand_size=2, queue_length_limit=1000))
    for _ in range(100):
        joined(queues, "elephant")
    mouse = joined(queues, "mouse")
    served = [queues.next() for _ in range(4)]
    assert mouse in served


def test_long_requests_are_charged_what_they_took() -> None:
    queues = Queues(QueuingConfiguration(queues=64, hand_size=1, queue_length_limit=1000))
    order = []
    for _ in range(20):
        joined(queues, "slow")
        joined(queues, "quick")
    for _ in range(20):
        ticket = queues.next()
        assert ticket is not None
        order.append(ticket.flow)
        queues.done(ticket, 1.0 if ticket.flow == "slow" else 0.1)
    assert order.count("quick") > 4 * order.count("slow")


def test_queue_that_was_idle_does_not_catch_up() -> None:
    queues = Queues(QueuingConfiguration(queues=64, hand_size=1, queue_length_limit=1000))
    for _ in range(50):
        joined(queues, "busy")
    for _ in range(30):
        ticket = queues.next()
        assert ticket is not None
        queues.done(ticket, 1.0)
    for _ in range(20):
        joined(queues, "late")
    order = [ticket.flow for _ in range(10) if (ticket := queues.next())]
    assert 4 <= order.count("busy") <= 6


def test_who_gives_up_leaves_no_trace() -> None:
    queues = Queues(QueuingConfiguration(queues=4, hand_size=2, queue_length_limit=5))
    ticket = joined(queues, "a")
    queues.leave(ticket)
    assert queues.waiting == 0
    assert queues.next() is None
