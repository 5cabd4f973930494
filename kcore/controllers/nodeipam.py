"""Gives every node the addresses of its pods: a part of the cluster's range, or one of each family's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import Node
from kcore.api.object import Object
from kcore.client.client import PatchType
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context

__all__ = ["NodeIPAMController", "Pool"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Pool:
    """The equal parts of one range: taken in order, those given back last of all."""

    def __init__(self, network: Network, mask_size: int) -> None:
        self._fresh: Iterator[Network] = network.subnets(new_prefix=mask_size)
        self._taken: set[str] = set()
        self._returned: dict[str, None] = {}

    def occupy(self, cidr: str) -> None:
        """Somebody has this part already."""
        self._taken.add(cidr)
        self._returned.pop(cidr, None)

    def take(self) -> str | None:
        """A part that nobody has; None: all are taken."""
        cidr = next((c for n in self._fresh if (c := str(n)) not in self._taken), None)
        if cidr is None and self._returned:
            cidr = next(iter(self._returned))
        if cidr is not None:
            self.occupy(cidr)
        return cidr

    def give_back(self, cidr: str) -> None:
        if cidr in self._taken:
            self._taken.remove(cidr)
            self._returned[cidr] = None


class NodeIPAMController(Controller):
    """Sets `spec.podCIDR` and `spec.podCIDRs`, once for each node."""

    name = "node-ipam-controller"
    root = Node
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder("cidrAllocator")
        self._nodes = context.informers.of(Node)
        networks = [ipaddress.ip_network(cidr) for cidr in context.options.cluster_cidr.split(",") if cidr]
        self._pools = [Pool(network, context.options.mask_size(network.version)) for network in networks]

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Node: self._changed}

    def _changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        """Ranges are noted as taken before any is given: every node known at start passes here first."""
        if new is None:
            assert old is not None
            for pool, cidr in zip(self._pools, old.spec.pod_cidrs, strict=False):
                pool.give_back(cidr)
        elif new.spec.pod_cidrs:
            for pool, cidr in zip(self._pools, new.spec.pod_cidrs, strict=False):
                pool.occupy(cidr)
        elif old is None:
            yield new.metadata.name

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None or node.spec.pod_cidrs or not self._pools:
            return
        taken = [pool.take() for pool in self._pools]
        cidrs = [cidr for cidr in taken if cidr is not None]
        if len(cidrs) < len(taken):
            message = f"Node {key} status is now: CIDRNotAvailable"
            self._recorder.event(node, "Normal", "CIDRNotAvailable", message)
            self._give_back(taken)
            return
        patch = {"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}}
        try:
            await self._client.patch(Node, key, patch, patch_type=PatchType.MERGE)
        except BaseException:
            self._give_back(taken)
            raise

    def _give_back(self, taken: list[str | None]) -> None:
        for pool, cidr in zip(self._pools, taken, strict=True):
            if cidr is not None:
                pool.give_back(cidr)
