from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.serving import Kubectl, Served, kubectls, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A cluster of three nodes that the tests of one worker share; each test has a namespace of its own."""
    with serving(tmp_path_factory.mktemp("kcore"), "--ephemeral") as running:
        yield running


BINARIES: list[Path | None] = [*kubectls()] or [None]


@pytest.fixture(params=BINARIES, ids=lambda path: path.name if path else "none")
def kubectl(request: pytest.FixtureRequest, server: Served) -> Iterator[Kubectl]:
    """Each kubectl of this machine in turn, in a fresh namespace."""
    binary: Path | None = request.param
    if binary is None:
        pytest.skip("no kubectl on this machine")
    with namespace_of(server, request) as namespace:
        yield Kubectl(binary, server, namespace)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, server: Served) -> Iterator[str]:
    with namespace_of(server, request) as name:
        yield name


@contextlib.contextmanager
def namespace_of(server: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    name = f"{words}-{zlib.crc32(request.node.name.encode()):08x}"
    server.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    server.request("DELETE", f"/api/v1/namespaces/{name}")
