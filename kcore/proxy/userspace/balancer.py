"""Which endpoint serves a client: each in its turn, or the one that the client had before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from kcore.proxy.endpoint import Endpoint

__all__ = ["Affinity", "Balancer"]

CLIENTS_MAX = 10_000
"""How many clients one service port remembers; who has not come for longest is forgotten first."""


class Affinity(NamedTuple):
    """`last`: when the client last came, in the balancer's seconds."""

    endpoint: Endpoint
    last: float


class Balancer:
    """Round robin over the endpoints of one service port, with session affinity where `affinity_seconds` is not 0."""

    def __init__(self, endpoints: Sequence[Endpoint] = (), affinity_seconds: int = 0) -> None:
        self._endpoints: tuple[Endpoint, ...] = tuple(endpoints)
        self._seconds = affinity_seconds
        self._next = 0
        self._clients: OrderedDict[str, Affinity] = OrderedDict()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._endpoints

    def update(self, endpoints: Sequence[Endpoint], affinity_seconds: int) -> None:
        """Take other endpoints; whoever comes next gets the one that was next, where it is still there."""
        upcoming = self._endpoints[self._next :] + self._endpoints[: self._next]
        self._endpoints = tuple(endpoints)
        self._seconds = affinity_seconds
        addresses = {str(endpoint): i for i, endpoint in enumerate(endpoints)}
        self._next = next((addresses[str(e)] for e in upcoming if str(e) in addresses), 0)
        for client in [
            c for c, kept in self._clients.items() if not affinity_seconds or str(kept.endpoint) not in addresses
        ]:
            del self._clients[client]

    def choose(self, client: str, now: float) -> Sequence[Endpoint]:
        """The endpoint for a new connection or flow, and behind it the others to try should it not answer."""
        if not self._endpoints:
            return ()
        kept = self._clients.get(client) if self._seconds else None
        if kept is not None and now - kept.last < self._seconds:
            first = next(e for e in self._endpoints if str(e) == str(kept.endpoint))
            self.remember(client, first, now)
            return (first, *(e for e in self._endpoints if e is not first))
        chosen = self._next
        self._next = (chosen + 1) % len(self._endpoints)
        order = self._endpoints[chosen:] + self._endpoints[:chosen]
        self.remember(client, order[0], now)
        return order

    def remember(self, client: str, endpoint: Endpoint, now: float) -> None:
        """The client is served by this one from now on (after a failed try, another than was chosen)."""
        if not self._seconds:
            return
        self._clients[client] = Affinity(endpoint, now)
        self._clients.move_to_end(client)
        while len(self._clients) > CLIENTS_MAX:
            self._clients.popitem(last=False)

    def clients(self, now: float) -> dict[str, Affinity]:
        """Who is bound to whom."""
        return {client: kept for client, kept in self._clients.items() if now - kept.last < self._seconds}
