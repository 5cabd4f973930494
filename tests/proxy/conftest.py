from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.sim.virtual_loop import VirtualLoop

REAL = ("userspace", "iptables", "dns_server", "doors")


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Virtual time, but for what opens sockets or runs programs."""
    if any(word in item.path.name for word in REAL):
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}
