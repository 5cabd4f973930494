"""Scripted lives: what annotations make of fake containers."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, ResourceRequirements
from kcore.node.fake.runtime import FakeRuntime
from kcore.node.fake.script import script_of
from kcore.node.runtime import ContainerRecord, LogOptions, NotRunning, UnsupportedByRuntime
from tests.node.pods import container, pod
from tests.node.test_engine import conditions, current, run, served
from tests.sim.world import World, world


def scripted(**annotations: str) -> Pod:
    return pod(annotations={f"kcore.dev/{name.replace('_', '-')}": text for name, text in annotations.items()})


def started(w: World, given: Pod) -> FakeRuntime:
    """A runtime with the pod's container running since now."""
    runtime = FakeRuntime(w.clock, w.chance, start_seconds=0)
    runtime.run_sandbox(given, "10.0.0.2")
    runtime.pull_image(given, given.spec.containers[0])
    runtime.start_container(given, given.spec.containers[0], 0, 0)
    return runtime


async def text_of(runtime: FakeRuntime, **options: object) -> bytes:
    chosen = LogOptions(**options)  # type: ignore[arg-type]
    return b"".join([chunk async for chunk in runtime.logs("uid-1", "app", chosen)])


@pytest.mark.parametrize(
    ("annotations", "run_seconds", "exit_code"),
    [
        ({}, None, 0),
        ({"exit_code": "3"}, 0.0, 3),
        ({"exit_code": "3", "run_seconds": "5"}, 5.0, 3),
        ({"run_seconds": "soon"}, None, 0),
        ({"run_seconds": "-1"}, 0.0, 0),
        ({"oom": "true", "run_seconds": "9"}, 9.0, 137),
        ({"crashes": "2"}, 0.0, 1),
    ],
)
def test_scripts_are_read(annotations: Mapping[str, str], run_seconds: float | None, exit_code: int) -> None:
    script = script_of(scripted(**annotations), container())
    assert (script.run_seconds, script.exit_code) == (run_seconds, exit_code)


def test_an_own_annotation_wins_over_the_pods() -> None:
    given = pod(annotations={"kcore.dev/exit-code": "1", "kcore.dev/exit-code.app": "2"})
    assert script_of(given, container()).exit_code == 2


async def test_only_the_first_attempts_crash() -> None:
    async with served() as w:
        await run(w, scripted(crashes="2"))
        await w.settle(60)
        status = (await current(w)).status
        assert status.container_statuses[0].restart_count == 2
        assert status.container_statuses[0].state.running is not None


async def test_lack_of_memory_is_the_reason() -> None:
    async with served() as w:
        given = scripted(oom="true", run_seconds="3", message="too much")
        await run(w, replace(given, spec=replace(given.spec, restart_policy="Never")))
        await w.settle(5)
        ended = (await current(w)).status.container_statuses[0].state.terminated
        assert ended is not None
        assert (ended.reason, ended.exit_code, ended.message) == ("OOMKilled", 137, "too much")


async def test_a_slow_pull_that_fails_once_is_tried_again() -> None:
    async with served() as w:
        created = await run(w, scripted(pull_seconds="4", pull_failures="1"))
        await w.settle(3)
        assert (await current(w)).status.phase == "Pending"
        await w.settle(4 + 10 + 4)
        assert (await current(w)).status.phase == "Running"
        told = await w.told(created)
        assert "Warning Failed Error: ErrImagePull" in told


async def test_a_pod_gets_ready_in_its_own_time() -> None:
    async with served() as w:
        await run(w, scripted(ready_seconds="10"))
        await w.settle(5)
        assert (await current(w)).status.phase == "Running"
        assert conditions(await current(w))["Ready"] == "False"
        await w.settle(10)
        assert conditions(await current(w))["Ready"] == "True"


async def test_a_failed_liveness_probe_ends_the_container() -> None:
    async with served() as w:
        created = await run(w, scripted(live_seconds="20"))
        await w.settle(25)
        assert (await current(w)).status.container_statuses[0].restart_count == 1
        assert "Normal Killing Container app failed liveness probe, will be restarted" in await w.told(created)


async def test_a_new_image_replaces_the_container() -> None:
    async with served() as w:
        await run(w, pod())
        await w.settle()
        image = {"spec": {"containers": [{"name": "app", "image": "nginx:2"}]}}
        await w.client.patch(Pod, "web", image, "default")
        await w.settle(5)
        status = (await current(w)).status.container_statuses[0]
        assert (status.image, status.restart_count) == ("nginx:2", 1)


async def test_logs_carry_the_script_with_times() -> None:
    async with world() as w:
        runtime = started(w, scripted(logs="hello\nworld"))
        assert await text_of(runtime) == b"hello\nworld\n"
        assert (await text_of(runtime, timestamps=True)).startswith(b"2023-11-14T22:13:20.")
        assert await text_of(runtime, tail_lines=1) == b"world\n"


async def test_a_spoken_log_is_followed_to_the_end() -> None:
    async with world() as w:
        runtime = started(w, scripted(logs="tick\ntock", log_seconds="2", run_seconds="7"))
        with anyio.fail_after(10):
            assert await text_of(runtime, follow=True) == b"tick\ntock\ntick\ntock\n"


async def test_there_is_no_log_of_what_never_ran() -> None:
    async with world() as w:
        with pytest.raises(NotRunning, match='previous terminated container "app" not found'):
            await text_of(started(w, pod()), previous=True)


async def test_commands_are_answered_by_the_script() -> None:
    async with world() as w:
        answers = "{hostname: web-0, 'cat /etc/*': {stderr: 'no such file', exitCode: 1, seconds: 2}}"
        runtime = started(w, scripted(exec=answers))
        said = await runtime.exec("uid-1", "app", ["hostname"])
        assert (await said.stdout.receive(), await said.wait()) == (b"web-0\n", 0)
        failed = await runtime.exec("uid-1", "app", ["cat", "/etc/passwd"])
        assert failed.stderr is not None
        assert (await failed.stderr.receive(), await failed.wait()) == (b"no such file\n", 1)
        with pytest.raises(UnsupportedByRuntime):
            await runtime.exec("uid-1", "app", ["ls"])
        with pytest.raises(NotRunning):
            await runtime.exec("uid-1", "other", ["ls"])


async def test_who_attaches_hears_what_comes_and_how_it_ends() -> None:
    async with world() as w:
        runtime = started(w, scripted(logs="tick", log_seconds="5", run_seconds="12", exit_code="4"))
        await w.settle(2)
        attached = await runtime.attach("uid-1", "app")
        heard = [chunk async for chunk in attached.stdout]
        assert heard == [b"tick\n", b"tick\n"]
        assert await attached.wait() == 4


@pytest.mark.parametrize(
    ("curve", "age", "millis", "seconds"),
    [
        ("500m", 10, 500, 5.0),
        ("0=100m,10=300m", 5, 200, 0.75),
        ("0=100m,10=300m", 20, 300, 5.0),
        ("nonsense", 5, 0, 0.0),
    ],
)
async def test_usage_follows_its_curve(curve: str, age: float, millis: int, seconds: float) -> None:
    async with world() as w:
        runtime = started(w, scripted(cpu=curve, memory="64Mi"))
        await w.settle(age)
        usage = (await runtime.stats("uid-1"))["app"]
        assert usage.cpu_nanocores == pytest.approx(millis * 1e6, rel=0.01)
        assert usage.cpu_nanoseconds == pytest.approx(seconds * 1e9, rel=0.01)
        assert usage.memory_bytes == 64 * 2**20


async def test_usage_is_what_is_requested_unless_the_script_says() -> None:
    async with world() as w:
        asked = replace(container(), resources=ResourceRequirements(requests={"cpu": "250m", "memory": "1Mi"}))
        runtime = started(w, pod(containers=[asked]))
        usage = (await runtime.stats("uid-1"))["app"]
        assert (usage.cpu_nanocores, usage.memory_bytes) == (250_000_000, 2**20)
        assert (await runtime.node_stats("node-0")).memory_bytes == 2**20


def test_a_record_that_failed_to_start_has_not_exited() -> None:
    record = ContainerRecord("app", "", "", finished_at=1.0, reason="CreateContainerConfigError")
    assert record.failed_to_start
    assert not record.exited
