"""Containers as trees of processes: what they see, how they end, who is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
import pytest

from kcore.node.cri import CriError, Mount
from kcore.node.process.shim_client import connect_or_start
from tests.processes.conftest import NAP, PATIENCE, box, until

BOTH = pytest.mark.parametrize("isolate", [True, False], ids=["isolated", "shared"])


def running_with(word: str) -> list[int]:
    """The processes of this machine that have a word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@BOTH
async def test_output_and_exit_code_are_kept(folder: Path, isolate: bool) -> None:
    async with box(folder, isolate=isolate) as made:
        id_ = await made.start("echo $GREETING; echo oops >&2; printf half; exit 3")
        assert (await made.exit_of(id_)).exit_code == 3
        assert sorted(made.log()) == ["stderr F oops", "stdout F half", "stdout F hello"]


@BOTH
async def test_nothing_of_our_environment_leaks_in(
    folder: Path, isolate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    async with box(folder, isolate=isolate) as made:
        await made.exit_of(await made.start("env"))
        names = {line.split("F ")[1].partition("=")[0] for line in made.log()}
        assert names <= {"GREETING", "PATH", "HOME", "HOSTNAME", "PWD", "CONTAINER_SANDBOX_MOUNT_POINT", "SHLVL", "_"}


@BOTH
async def test_mounts_are_at_their_paths(folder: Path, isolate: bool, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "name").write_text("kcore\n")
    async with box(folder, isolate=isolate) as made:
        mounts = [Mount(tmp_path / "config", "/etc/kcore-test"), Mount(tmp_path / "config" / "name", "/etc/kcore-name")]
        id_ = await made.start("cat /etc/kcore-test/name /etc/kcore-name; echo new >/etc/kcore-test/x", mounts=mounts)
        assert (await made.exit_of(id_)).exit_code == 0
        assert made.log() == ["stdout F kcore", "stdout F kcore"]
        assert (tmp_path / "config" / "x").read_text() == "new\n"
    assert not await anyio.Path("/etc/kcore-test").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces here")
async def test_what_an_isolated_container_writes_stays_its_own(folder: Path) -> None:
    async with box(folder) as made:
        id_ = await made.start("touch /etc/kcore-was-here; hostname; ls /etc/kcore-was-here")
        assert (await made.exit_of(id_)).exit_code == 0
        assert made.log() == ["stdout F web-0", "stdout F /etc/kcore-was-here"]
    assert not await anyio.Path("/etc/kcore-was-here").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces here")
async def test_read_only_roots_and_mounts_refuse_writes(folder: Path, tmp_path: Path) -> None:
    async with box(folder) as made:
        script = "touch /etc/kcore-x || touch /mnt/kcore/x || echo refused"
        mounts = [Mount(tmp_path, "/mnt/kcore", read_only=True)]
        await made.exit_of(await made.start(script, mounts=mounts, read_only_root=True))
        assert made.log()[-1] == "stdout F refused"


@BOTH
async def test_what_a_command_leaves_behind_ends_with_it(folder: Path, isolate: bool) -> None:
    async with box(folder, isolate=isolate) as made:
        await made.exit_of(
            await made.start(f"setsid sleep {NAP}.25 & setsid sh -c 'sleep {NAP}.25 & wait' & sleep 0.2")
        )
        assert running_with(f"{NAP}.25") == []


@BOTH
async def test_a_killed_container_takes_its_whole_tree_along(folder: Path, isolate: bool) -> None:
    async with box(folder, isolate=isolate) as made:
        id_ = await made.start(f"trap '' TERM; setsid sleep {NAP}.5 & echo up; wait; sleep {NAP}.5")
        await until(lambda: "stdout F up" in made.log())
        await made.runtime.signal_container(id_, signal.SIGTERM)
        await made.runtime.signal_container(id_, signal.SIGKILL)
        assert (await made.exit_of(id_)).exit_code == 137
        await until(lambda: running_with(f"{NAP}.5") == [])


@BOTH
async def test_signals_reach_the_command(folder: Path, isolate: bool) -> None:
    async with box(folder, isolate=isolate) as made:
        id_ = await made.start("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done")
        await until(lambda: "stdout F up" in made.log())
        await made.runtime.signal_container(id_, signal.SIGTERM)
        assert (await made.exit_of(id_)).exit_code == 5
        assert made.log()[-1] == "stdout F bye"


async def test_what_cannot_be_executed_says_why(folder: Path) -> None:
    async with box(folder) as made:
        with pytest.raises(CriError, match=r'exec: "nonesuch": executable file not found in \$PATH'):
            await made.start("", command=["nonesuch"])
        with pytest.raises(CriError, match="No such file or directory"):
            await made.start("", working_dir="/nonesuch")


@BOTH
async def test_commands_run_inside(folder: Path, isolate: bool) -> None:
    async with box(folder, isolate=isolate) as made:
        id_ = await made.start("sleep 100")
        with anyio.fail_after(PATIENCE):
            said = await made.runtime.exec(id_, ["sh", "-c", "cat; echo $GREETING >&2; exit 4"], stdin=True, tty=False)
            assert said.stdin is not None
            assert said.stderr is not None
            await said.stdin.send(b"typed")
            await said.stdin.aclose()
            assert b"".join([chunk async for chunk in said.stdout]) == b"typed"
            assert b"".join([chunk async for chunk in said.stderr]) == b"hello\n"
            assert await said.wait() == 4
            await said.aclose()


async def test_a_terminal_has_a_size_and_is_one(folder: Path) -> None:
    async with box(folder) as made:
        id_ = await made.start("sleep 100")
        with anyio.fail_after(PATIENCE):
            said = await made.runtime.exec(id_, ["sh", "-c", "test -t 0 && read x && stty size"], stdin=True, tty=True)
            assert said.stdin is not None
            assert said.stderr is None
            said.resize(99, 33)
            await said.stdin.send(b"\n")
            assert b"33 99" in b"".join([chunk async for chunk in said.stdout])
            assert await said.wait() == 0
            await said.aclose()


async def test_a_command_that_is_let_go_ends(folder: Path) -> None:
    async with box(folder) as made:
        id_ = await made.start("sleep 100")
        said = await made.runtime.exec(id_, ["sleep", f"{NAP}.75"], stdin=False, tty=False)
        await until(lambda: running_with(f"{NAP}.75") != [])
        await said.aclose()
        await until(lambda: running_with(f"{NAP}.75") == [])


async def test_who_attaches_hears_and_speaks(folder: Path) -> None:
    async with box(folder) as made:
        id_ = await made.start("read line; echo got $line; exit 6", stdin=True)
        with anyio.fail_after(PATIENCE):
            attached = await made.runtime.attach(id_, stdin=True)
            assert attached.stdin is not None
            await attached.stdin.send(b"this\n")
            assert b"".join([chunk async for chunk in attached.stdout]) == b"got this\n"
            assert await attached.wait() == 6
            await attached.aclose()
        assert made.log() == ["stdout F got this"]


async def test_full_logs_are_rotated(folder: Path) -> None:
    async with box(folder) as made:
        spec = made.runtime._spec

        def small(*args: object) -> dict[str, object]:
            return {**spec(*args), "log_max_bytes": 2000, "log_max_files": 3}  # type: ignore[arg-type]

        made.runtime._spec = small  # type: ignore[method-assign,assignment]
        script = "for i in $(seq 300); do echo line $i; done; sleep 0.1; for i in $(seq 300); do echo line $i; done"
        await made.exit_of(await made.start(script))
        assert 2 <= len(list((folder / "logs").iterdir())) <= 3


async def test_the_next_kubelet_finds_what_runs(folder: Path) -> None:
    async with box(folder, stop_at_end=False, linger_seconds=60.0) as first:
        id_ = await first.start("sleep 100", labels={"uid": "u"})
    async with box(folder) as second:
        assert [(info.id, info.labels) for info in await second.runtime.containers()] == [(id_, {"uid": "u"})]
        await second.runtime.signal_container(id_, signal.SIGKILL)
        assert (await second.exit_of(id_)).exit_code == 137


async def test_a_shim_that_nobody_needs_ends_with_its_containers(folder: Path) -> None:
    shim = connect_or_start(folder, 0.0)
    shim.listen(lambda event: None)
    pid = (await shim.ask("hello"))["pid"]
    shim.close()
    await until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
