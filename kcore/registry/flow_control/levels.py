"""How the seats of the server are shared out among priority levels.

A level is guaranteed what it does not lend; what it lends others may take while they have more to do, up to what they
may borrow. A seat that is lent comes back when the request on it is done. So that a request which finds a seat free
costs next to nothing, what all levels reserve together is kept as one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from kcore.api.flowcontrol_v1 import PriorityLevelConfiguration
from kcore.registry.flow_control.queues import Queues, Ticket

__all__ = ["Level", "Room"]


class Level:
    """One priority level: the seats that it holds, and those who wait for one."""

    __slots__ = ("borrowable", "guaranteed", "in_use", "most", "name", "nominal", "queues", "uid")

    def __init__(self, config: PriorityLevelConfiguration, nominal: int) -> None:
        limited, exempt = config.spec.limited, config.spec.exempt
        self.name = config.metadata.name
        self.uid = config.metadata.uid
        self.nominal = nominal
        self.in_use = 0
        self.queues: Queues | None = None
        self.most: float = math.inf
        share = limited or exempt
        lendable = (share.lendable_percent or 0) if share is not None else 0
        self.guaranteed = nominal - _percent(nominal, lendable)
        if limited is not None:
            queuing = limited.limit_response.queuing
            self.queues = Queues(queuing) if queuing is not None else None
            if limited.borrowing_limit_percent is not None:
                self.most = nominal + _percent(nominal, limited.borrowing_limit_percent)

    @property
    def reserved(self) -> int:
        """What nobody else may take."""
        return max(self.in_use, self.guaranteed)


class Room:
    """All seats of a server and the levels that share them."""

    def __init__(self, configs: Sequence[PriorityLevelConfiguration], seats: int) -> None:
        self.seats = seats
        self._limited = [config for config in configs if config.spec.type == "Limited"]
        shares = {config.metadata.name: _shares(config) for config in configs}
        total = sum(shares.values()) or 1
        self.levels: Mapping[str, Level] = {
            name: Level(config, math.ceil(seats * shares[name] / total))
            for config in configs
            if (name := config.metadata.name)
        }
        self._exempt = {config.metadata.name for config in configs if config.spec.type != "Limited"}
        self.waiting = 0
        """On all levels."""
        self._reserved = sum(level.reserved for level in self.levels.values() if level.name not in self._exempt)

    def is_exempt(self, level: Level) -> bool:
        return level.name in self._exempt

    def take(self, level: Level) -> bool:
        """Take a seat for a level, if it may have one."""
        in_use, guaranteed = level.in_use, level.guaranteed
        if in_use >= guaranteed:
            if in_use >= level.most or self._reserved >= self.seats:
                return False
            self._reserved += 1
        level.in_use = in_use + 1
        return True

    def give_back(self, level: Level) -> None:
        if level.in_use > level.guaranteed:
            self._reserved -= 1
        level.in_use -= 1

    def seat_waiting(self) -> None:
        """Let in whoever may be: each level in turn, so that none takes all that has become free."""
        if not self.waiting:
            return
        waiting = [level for level in self.levels.values() if level.queues is not None and level.queues.waiting]
        while waiting:
            waiting = [level for level in waiting if self._seat_one(level)]

    def _seat_one(self, level: Level) -> bool:
        assert level.queues is not None
        if not level.queues.waiting or not self.take(level):
            return False
        ticket = level.queues.next()
        assert ticket is not None
        self.waiting -= 1
        ticket.seat()
        return True

    def join(self, level: Level, flow: str, seat: Callable[[], None]) -> Ticket | None:
        """Wait for a seat; None where the level has no queues, or the flow's are full."""
        ticket = level.queues.join(flow, seat) if level.queues is not None else None
        if ticket is not None:
            self.waiting += 1
        return ticket

    def stop_waiting(self, level: Level, ticket: Ticket) -> None:
        assert level.queues is not None
        level.queues.leave(ticket)
        self.waiting -= 1


def _shares(config: PriorityLevelConfiguration) -> int:
    spec = config.spec
    share = spec.limited or spec.exempt
    return (share.nominal_concurrency_shares or 0) if share is not None else 0


def _percent(of: int, percent: int) -> int:
    return round(of * percent / 100)
