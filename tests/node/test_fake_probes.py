"""What fake kubelets tell of the probes of their containers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Container, Probe
from kcore.node.fake.runtime import FakeRuntime
from tests.node.pods import container, pod
from tests.sim.world import World, world

PROBE = Probe(period_seconds=10, initial_delay_seconds=5)
Counts = Mapping[tuple[str, bool], int]


def started(w: World, one: Container, script: Mapping[str, str]) -> FakeRuntime:
    runtime = FakeRuntime(w.clock, w.chance)
    given = pod(containers=[one], annotations={f"kcore.dev/{name}": text for name, text in script.items()})
    runtime.run_sandbox(given, "10.0.0.2")
    runtime.pull_image(given, one)
    runtime.start_container(given, one, 0, 0)
    return runtime


@pytest.mark.parametrize(
    ("kinds", "script", "expected"),
    [
        ((), {}, {}),
        (("liveness",), {}, {("liveness", True): 4}),
        (("readiness",), {"ready-seconds": "20"}, {("readiness", False): 2, ("readiness", True): 2}),
        (("readiness",), {"ready": "false"}, {("readiness", False): 4}),
        (
            ("startup", "liveness"),
            {"ready-seconds": "20"},
            {("startup", False): 2, ("startup", True): 1, ("liveness", True): 2},
        ),
        (("startup", "liveness"), {"ready": "false"}, {("startup", False): 4}),
    ],
)
async def test_answers_are_counted(kinds: tuple[str, ...], script: Mapping[str, str], expected: Counts) -> None:
    async with world() as w:
        probed = replace(container(), **{f"{kind}_probe": PROBE for kind in kinds})
        runtime = started(w, probed, script)
        await w.settle(40)
        found = runtime.probed("uid-1")
        assert {(kind, good): count for (_, kind, good), count in found.items()} == expected
        assert {name for name, _, _ in found} <= {"app"}
