from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import uvloop

from tests.sim.virtual_loop import VirtualLoop

REAL = ("userspace", "iptables", "dns_server", "doors")


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Virtual time, but for what opens sockets or runs programs: there both loops that kcore may run on."""
    if any(word in item.path.name for word in REAL):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"virtual": VirtualLoop}
