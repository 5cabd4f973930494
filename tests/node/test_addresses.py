"""Ranges of nodes and addresses of pods are unique, skip what is reserved, and come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.node.addresses import AddressRange, NodeRanges, RangeExhausted


def test_addresses_skip_the_network_the_gateway_and_the_broadcast_address() -> None:
    addresses = AddressRange("10.0.0.0/29")
    assert [addresses.take() for _ in range(5)] == [f"10.0.0.{n}" for n in range(2, 7)]
    with pytest.raises(RangeExhausted):
        addresses.take()


def test_an_address_given_back_rests_until_its_turn() -> None:
    addresses = AddressRange("10.0.0.0/29")
    first = addresses.take()
    addresses.release(first)
    assert [addresses.take() for _ in range(5)] == ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]


def test_addresses_of_other_networks_are_not_counted() -> None:
    addresses = AddressRange("10.0.0.0/30")
    addresses.occupy("192.168.0.1")
    assert addresses.take() == "10.0.0.2"


def test_occupied_addresses_are_not_given_out() -> None:
    addresses = AddressRange("10.0.0.0/29")
    addresses.occupy("10.0.0.2")
    assert addresses.take() == "10.0.0.3"


@given(st.lists(st.booleans(), max_size=200))
def test_no_address_is_held_twice(takes: list[bool]) -> None:
    addresses, held = AddressRange("10.0.0.0/28"), list[str]()
    for take in takes:
        if take and len(held) < 13:
            address = addresses.take()
            assert address not in held
            held.append(address)
        elif held:
            addresses.release(held.pop(0))


def test_node_ranges_cut_the_cluster_range_into_24s() -> None:
    ranges = NodeRanges("10.244.0.0/16")
    assert ranges.capacity == 256
    ranges.occupy("10.244.1.0/24")
    assert [ranges.take(), ranges.take()] == ["10.244.0.0/24", "10.244.2.0/24"]
    ranges.release("10.244.0.0/24")
    ranges.occupy("192.168.0.0/24")
    assert len({ranges.take() for _ in range(254)}) == 254
    with pytest.raises(RangeExhausted, match="room for 256 nodes"):
        ranges.take()


def test_ipv6_nodes_get_64s() -> None:
    assert NodeRanges("fd00:10:244::/56").take() == "fd00:10:244::/64"
