from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.sim.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], VirtualLoop]]:
    """Every test here runs in virtual time."""
    return {"virtual": VirtualLoop}
