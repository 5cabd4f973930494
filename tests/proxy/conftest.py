from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import uvloop

from tests.sim.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Virtual time, but for what opens sockets (on both loops that kcore may run on) or runs programs."""
    if "userspace" in item.path.name:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    if "namespaces" in item.path.name:
        return {"asyncio": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}
