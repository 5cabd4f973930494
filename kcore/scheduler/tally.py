"""Which nodes hold pods of a certain description, and how many: what saves a walk over all pods."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from kcore.scheduler.node_info import NodeInfo

__all__ = ["Tally"]

K = TypeVar("K", bound=Hashable)

NOWHERE: Mapping[NodeInfo, int] = MappingProxyType({})


class Tally(Generic[K]):
    """Counts of keys by node. `generation` moves whenever a key comes or goes altogether."""

    def __init__(self) -> None:
        self._nodes: dict[K, dict[NodeInfo, int]] = {}
        self.generation = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[K]:
        return iter(self._nodes)

    def nodes(self, key: K) -> Mapping[NodeInfo, int]:
        """Where the key is, and how often."""
        return self._nodes.get(key, NOWHERE)

    def count(self, key: K, node: NodeInfo, change: int) -> None:
        """There are so many more of a key on a node."""
        nodes = self._nodes.get(key)
        if nodes is None:
            nodes = self._nodes[key] = {}
            self.generation += 1
        left = nodes.get(node, 0) + change
        assert left >= 0, "more pods have left a node than came to it"
        if left:
            nodes[node] = left
            return
        del nodes[node]
        if not nodes:
            del self._nodes[key]
            self.generation += 1
