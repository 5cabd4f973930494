"""Addresses: the ranges of nodes within the cluster's, and those of pods within their node's."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6, inet_pton

__all__ = ["AddressRange", "NodeRanges", "RangeExhausted", "SoleAddress"]

Network = IPv4Network | IPv6Network


class RangeExhausted(Exception):
    """Every address, or every node's range, is taken."""


def _number(address: str) -> int:
    """An address that is known to be one, read in a tenth of the time that `ip_address` takes."""
    return int.from_bytes(inet_pton(AF_INET6 if ":" in address else AF_INET, address), "big")


class AddressRange:
    """The addresses of one network, given out round and round, so that one just given back rests for a while."""

    def __init__(self, cidr: str) -> None:
        network = ip_network(cidr)
        self._first = int(network.network_address)
        self._type = type(network.network_address)
        # The network's own address and the first host, which is the gateway's, are never given out, nor is the
        # last one of an IPv4 network, which is for broadcasts.
        self._offset = 2
        self._size = network.num_addresses - (1 if network.version == 4 else 0)
        self._next = self._offset
        self._taken: set[int] = set()

    def take(self) -> str:
        """An address that nobody has. Raises RangeExhausted."""
        if len(self._taken) >= self._size - self._offset:
            raise RangeExhausted(f"no address is left of {self._size - self._offset}")
        while self._next in self._taken or self._next >= self._size:
            self._next = self._next + 1 if self._next < self._size else self._offset
        offset = self._next
        self._taken.add(offset)
        self._next += 1
        return str(self._type(self._first + offset))

    def occupy(self, address: str) -> None:
        """Count an address as taken; one of another network is not ours to count."""
        offset = _number(address) - self._first
        if self._offset <= offset < self._size:
            self._taken.add(offset)

    def release(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(_number(address) - self._first)


class SoleAddress(AddressRange):
    """One address that everybody has."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address}/{ip_address(address).max_prefixlen}")
        self._address = address

    def take(self) -> str:
        return self._address


class NodeRanges:
    """The cluster's range, cut into one of equal size for each node (`--node-cidr-mask-size` upstream)."""

    def __init__(self, cluster_cidr: str, mask_size: int | None = None) -> None:
        self._network = ip_network(cluster_cidr)
        self._mask = mask_size or max(self._network.prefixlen, 24 if self._network.version == 4 else 64)
        self._step = 1 << (self._network.max_prefixlen - self._mask)
        self.capacity: int = self._network.num_addresses // self._step
        self._next = 0
        self._taken: set[int] = set()

    def take(self) -> str:
        """A range that no node has. Raises RangeExhausted."""
        if len(self._taken) >= self.capacity:
            raise RangeExhausted(f"{self._network} has room for {self.capacity} nodes")
        while self._next in self._taken:
            self._next = (self._next + 1) % self.capacity
        index = self._next
        self._taken.add(index)
        return f"{self._network.network_address + index * self._step}/{self._mask}"

    def occupy(self, cidr: str) -> None:
        """Count a node's range as taken, whoever gave it to the node."""
        index = self._index(cidr)
        if index is not None:
            self._taken.add(index)

    def release(self, cidr: str) -> None:
        """Give a node's range back."""
        index = self._index(cidr)
        if index is not None:
            self._taken.discard(index)

    def _index(self, cidr: str) -> int | None:
        address = cidr.partition("/")[0]
        if (":" in address) != (self._network.version == 6):
            return None
        offset = _number(address) - int(self._network.network_address)
        return offset // self._step if 0 <= offset < self._network.num_addresses else None
