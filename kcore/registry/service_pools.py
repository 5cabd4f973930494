"""The pools of what Services own alone: cluster IPs and node ports.

Both follow upstream's allocators (KEP-3070, KEP-3668): whoever names no value gets a random one from the upper band,
so that values named by hand, which people pick low, seldom collide; the lower band is used once the upper is full.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["AddressPool", "AddressPools", "AllocationError", "PortPool"]


class AllocationError(Exception):
    """A value that can not be had; the text is upstream's."""


class _Pool:
    """Integers `first` to `last`, each with one owner. `static` of them, the lowest, are handed out last."""

    def __init__(self, first: int, last: int, static: int, dice: random.Random) -> None:
        self._first = first
        self._last = last
        self._dynamic = first + static
        self._dice = dice
        self._taken: set[int] = set()

    def __contains__(self, value: int) -> bool:
        return value in self._taken

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, value: int) -> bool:
        """Take this very value; False where someone else has it."""
        if value in self._taken:
            return False
        self._taken.add(value)
        return True

    def take_any(self) -> int:
        """Take a free value: a random one of the upper band, else of the lower."""
        for first, last in ((self._dynamic, self._last), (self._first, self._dynamic - 1)):
            value = self._free(first, last)
            if value is not None:
                self._taken.add(value)
                return value
        raise AllocationError("range is full")

    def give_back(self, value: int) -> None:
        self._taken.discard(value)

    def _free(self, first: int, last: int) -> int | None:
        """A random start, then upwards and around: one try in a pool that is mostly free."""
        size = last - first + 1
        if size <= 0:
            return None
        start = self._dice.randrange(size)
        for step in range(size):
            value = first + (start + step) % size
            if value not in self._taken:
                return value
        return None


def _band(size: int, least: int, share: int, most: int) -> int:
    """How many values the lower band has; ranges too small to share have none."""
    return 0 if size <= least else min(max(least, size // share), most)


class AddressPool:
    """The cluster IPs of one range, without its network address and (IPv4) its broadcast address."""

    def __init__(self, cidr: str, dice: random.Random) -> None:
        self.network: IPv4Network | IPv6Network = ip_network(cidr)
        self.family = f"IPv{self.network.version}"
        base = int(self.network.network_address)
        size = min(self.network.num_addresses, 2**63)
        last = base + size - (2 if self.network.version == 4 else 1)
        usable = last - base
        self._pool = _Pool(base + 1, last, _band(usable, 16, 16, 256), dice)

    def __len__(self) -> int:
        return len(self._pool)

    def take(self, address: IPv4Address | IPv6Address) -> None:
        if address not in self.network:
            raise AllocationError("the provided network does not match the current range")
        if not self._pool._first <= int(address) <= self._pool._last:
            raise AllocationError(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
            )
        if not self._pool.take(int(address)):
            raise AllocationError("provided IP is already allocated")

    def take_any(self) -> str:
        return str(type(self.network.network_address)(self._pool.take_any()))

    def give_back(self, address: IPv4Address | IPv6Address) -> None:
        self._pool.give_back(int(address))


class AddressPools:
    """All ranges of one family, asked in the order in which they came; the first is never dropped.

    Ranges may overlap: an address that has an owner has one in every range that holds it.
    """

    def __init__(self) -> None:
        self._pools: list[AddressPool] = []

    def __contains__(self, cidr: str) -> bool:
        return any(str(pool.network) == cidr for pool in self._pools)

    def __len__(self) -> int:
        return sum(map(len, self._pools))

    def add(self, pool: AddressPool) -> None:
        self._pools.append(pool)

    def keep(self, cidrs: Container[str]) -> None:
        """Drop the others."""
        self._pools[1:] = [pool for pool in self._pools[1:] if str(pool.network) in cidrs]

    def take(self, address: IPv4Address | IPv6Address) -> None:
        first, *others = self._holding(address)
        first.take(address)
        self._take_in(others, address)

    def take_any(self) -> str:
        *pools, last = self._pools
        for pool in pools:
            try:
                return self._noted(pool.take_any(), pool)
            except AllocationError:
                continue
        return self._noted(last.take_any(), last)

    def give_back(self, address: IPv4Address | IPv6Address) -> None:
        for pool in self._holding(address):
            pool.give_back(address)

    def _noted(self, text: str, taken_in: AddressPool) -> str:
        address = ip_address(text)
        self._take_in([pool for pool in self._holding(address) if pool is not taken_in], address)
        return text

    def _holding(self, address: IPv4Address | IPv6Address) -> list[AddressPool]:
        return [pool for pool in self._pools if address in pool.network] or self._pools[:1]

    @staticmethod
    def _take_in(pools: Iterable[AddressPool], address: IPv4Address | IPv6Address) -> None:
        for pool in pools:
            with suppress(AllocationError):
                pool.take(address)


class PortPool:
    """The node ports: one port belongs to one Service, whichever protocols it uses it for."""

    def __init__(self, first: int, last: int, dice: random.Random) -> None:
        self._range = (first, last)
        self._pool = _Pool(first, last, _band(last - first + 1, 16, 32, 128), dice)

    def __len__(self) -> int:
        return len(self._pool)

    def take(self, port: int) -> None:
        first, last = self._range
        if not first <= port <= last:
            raise AllocationError(
                f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
            )
        if not self._pool.take(port):
            raise AllocationError("provided port is already allocated")

    def take_any(self) -> int:
        return self._pool.take_any()

    def give_back(self, port: int) -> None:
        self._pool.give_back(port)
