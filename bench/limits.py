"""What does a seat cost whoever finds one free? (goal: 5 us)

The configuration of a new cluster; a user who is neither a master nor a component takes a seat and gives it back.
"""

from __future__ import annotations

import anyio

from bench.rbac import microseconds
from bench.serving import report
from kcore.api.scheme import Scheme
from kcore.registry.access import Attributes
from kcore.registry.codec import StoreCodec
from kcore.registry.request import User
from kcore.registry.strategies import STRATEGIES
from kcore.server.limits import Fairness
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

JANE = User("jane", groups=("devs", "ops", "system:authenticated"))
ROOT = User("root", groups=("system:masters", "system:authenticated"))


async def main() -> None:
    scheme = Scheme()
    limits = Fairness(EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog()), scheme, 600)

    def sit(user: User) -> None:
        seat = limits.try_sit(Attributes(user, "create", "", "pods", "", "default", "web"))
        assert seat is not None
        seat.leave()

    figures = {
        "seat_us": round(microseconds(lambda: sit(JANE)), 2),
        "exempt_us": round(microseconds(lambda: sit(ROOT)), 2),
    }
    report("limits", **figures, goal_us=5)


if __name__ == "__main__":
    anyio.run(main)
