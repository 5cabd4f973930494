"""Those that wait for a seat, in queues that are served fairly.

Each flow is dealt a small hand of queues by its hash, and puts each request into the shortest of them (shuffle
sharding): a flow that fills its queues shares all of them with hardly any other. Fairness is that of a fair scheduler
of processes: a queue is charged with the time that its requests hold seats, and the one that is charged least is next.
A queue that was empty begins at the least charge of those that were not, so that it neither catches up on a time in
which it asked for nothing nor is held to an old debt.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from kcore.api.flowcontrol_v1 import QueuingConfiguration

__all__ = ["Queue", "Queues", "Ticket", "deal"]

_FIRST_GUESS_SECONDS = 0.01
_LEARNING = 8
"""Of how many requests what they took is the average, about."""


class Ticket:
    """A place in a queue. `seat` is called when its turn comes."""

    __slots__ = ("charged", "flow", "queue", "seat")

    def __init__(self, queue: Queue, flow: str, seat: Callable[[], None]) -> None:
        self.queue = queue
        self.flow = flow
        self.seat = seat
        self.charged = 0.0


class Queue:
    __slots__ = ("charged", "running", "tickets")

    def __init__(self) -> None:
        self.tickets: deque[Ticket] = deque()
        self.running = 0
        self.charged = 0.0

    @property
    def busy(self) -> bool:
        return bool(self.tickets) or self.running > 0


class Queues:
    """The queues of one priority level."""

    def __init__(self, config: QueuingConfiguration) -> None:
        self._queues = [Queue() for _ in range(max(1, config.queues))]
        self._hand_size = config.hand_size
        self._length_max = config.queue_length_limit
        self._virtual = 0.0
        """The least charge of those that are busy, or were last."""
        self._guess = _FIRST_GUESS_SECONDS
        """What a request is charged in advance, until it is known how long it held its seat."""
        self.waiting = 0

    def join(self, flow: str, seat: Callable[[], None]) -> Ticket | None:
        """A place at the end of the flow's shortest queue; None where that is full."""
        hand = deal(flow, len(self._queues), self._hand_size)
        queue = min((self._queues[i] for i in hand), key=lambda q: len(q.tickets) + q.running)
        if len(queue.tickets) >= self._length_max:
            return None
        if not queue.busy:
            queue.charged = max(queue.charged, self._virtual)
        ticket = Ticket(queue, flow, seat)
        queue.tickets.append(ticket)
        self.waiting += 1
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up waiting."""
        ticket.queue.tickets.remove(ticket)
        self.waiting -= 1

    def next(self) -> Ticket | None:
        """Whose turn it is; None where nobody waits."""
        if not self.waiting:
            return None
        queue = min((q for q in self._queues if q.tickets), key=lambda q: q.charged)
        self._virtual = max(self._virtual, queue.charged)
        ticket = queue.tickets.popleft()
        self.waiting -= 1
        queue.running += 1
        ticket.charged = self._guess
        queue.charged += ticket.charged
        return ticket

    def done(self, ticket: Ticket, seconds: float) -> None:
        """The request has given back its seat, which it held for so long."""
        ticket.queue.running -= 1
        ticket.queue.charged += seconds - ticket.charged
        self._guess += (seconds - self._guess) / _LEARNING


def deal(flow: str, deck: int, hand: int) -> Sequence[int]:
    """The queues that a flow may use: different ones, by its hash."""
    return tuple(_dealt(int.from_bytes(hashlib.sha256(flow.encode()).digest(), "big"), deck, min(hand, deck)))


def _dealt(entropy: int, deck: int, hand: int) -> Iterator[int]:
    cards = list(range(deck))
    for _ in range(hand):
        entropy, at = divmod(entropy, len(cards))
        yield cards.pop(at)
