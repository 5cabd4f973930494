from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.sim import world
from tests.sim.connections import over_http
from tests.sim.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], VirtualLoop]]:
    """Every test here runs in virtual time."""
    return {"virtual": VirtualLoop}


REPRESENTATIVE = frozenset(
    ("test_daemonset", "test_deployment", "test_garbagecollector", "test_namespace", "test_volume_binding")
)
"""Of these modules the tests always run a second time over HTTP, of the others among the soaks."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Everything twice: the controllers within the process of their server, and connected to it over HTTP."""
    if not inspect.iscoroutinefunction(metafunc.function) or metafunc.definition.get_closest_marker("soak"):
        return
    module = metafunc.module.__name__.rpartition(".")[2]
    marks = () if module in REPRESENTATIVE else (pytest.mark.soak,)
    metafunc.parametrize("connection", ["local", pytest.param("http", marks=marks)], indirect=True)


@pytest.fixture(autouse=True)
def connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if getattr(request, "param", "") == "http":
        monkeypatch.setattr(world, "connect", over_http)
