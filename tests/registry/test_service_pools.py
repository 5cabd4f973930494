from __future__ import annotations

import random
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.registry.service_pools import AddressPool, AllocationError, PortPool


def addresses(cidr: str) -> AddressPool:
    return AddressPool(cidr, random.Random(0))


def ports(first: int = 30000, last: int = 30099) -> PortPool:
    return PortPool(first, last, random.Random(0))


def test_pool_hands_out_every_address_but_network_and_broadcast() -> None:
    pool = addresses("10.0.0.0/28")
    taken = {pool.take_any() for _ in range(14)}
    assert taken == {f"10.0.0.{i}" for i in range(1, 15)}
    with pytest.raises(AllocationError, match="range is full"):
        pool.take_any()


def test_lower_band_is_left_to_those_who_name_their_address() -> None:
    pool = addresses("10.0.0.0/24")
    upper = {pool.take_any() for _ in range(238)}
    assert min(map(IPv4Address, upper)) == IPv4Address("10.0.0.17")
    assert IPv4Address(pool.take_any()) < IPv4Address("10.0.0.17")


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("10.0.1.5", "the provided network does not match the current range"),
        (
            "10.0.0.0",
            "the provided IP (10.0.0.0) is not in the valid range. The range of valid IPs is 10.0.0.0/24",
        ),
        ("10.0.0.9", "provided IP is already allocated"),
    ],
)
def test_address_that_can_not_be_had_is_refused(wanted: str, problem: str) -> None:
    pool = addresses("10.0.0.0/24")
    pool.take(ip_address("10.0.0.9"))
    with pytest.raises(AllocationError) as refused:
        pool.take(ip_address(wanted))
    assert str(refused.value) == problem


def test_huge_range_is_no_burden() -> None:
    pool = addresses("fd00::/64")
    assert len({pool.take_any() for _ in range(100)}) == len(pool) == 100


def test_port_outside_the_range_is_refused() -> None:
    with pytest.raises(AllocationError) as refused:
        ports().take(80)
    assert str(refused.value) == ("provided port is not in the valid range. The range of valid ports is 30000-30099")


@given(st.lists(st.one_of(st.none(), st.integers(30000, 30019), st.integers(-20, -1)), max_size=80))
def test_no_port_has_two_owners_and_none_is_lost(steps: list[int | None]) -> None:
    """None: any port; a port: that one; a negative number: give back one of those held."""
    pool = ports(30000, 30019)
    held: list[int] = []
    for step in steps:
        try:
            if step is None:
                held.append(pool.take_any())
            elif step >= 0:
                pool.take(step)
                held.append(step)
            elif held:
                pool.give_back(held.pop(step % len(held)))
        except AllocationError:
            assert len(held) == 20 if step is None else step in held
    assert len(held) == len(set(held)) == len(pool)
