from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.sim.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs in virtual time, but for those with sockets."""
    if "http" in item.path.name:
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}
