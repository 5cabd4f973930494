"""Damage, full disks and places that can not be written: a clear message each, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from kcore.store.embedded import EmbeddedStore
from kcore.store.sqlite import SqliteLog
from kcore.store.store import StoreUnavailable
from tests.store.objects import TreeCodec, put
from tests.store.test_histories import running

WAL_HEADER = 32
FRAME_HEADER = 24
PAGE = 8192
FRAME = FRAME_HEADER + PAGE


def open_store(directory: Path) -> EmbeddedStore:
    return EmbeddedStore(TreeCodec(), SqliteLog(directory))


def served(directory: Path) -> list[str]:
    """The keys that a store opened on a directory serves."""
    log = SqliteLog(directory)
    try:
        return [record.key for record in EmbeddedStore(TreeCodec(), log).range("pods/").records]
    finally:
        log.close()


@pytest.fixture
def crashed(tmp_path: Path) -> Callable[[int], Path]:
    """A directory as a power cut would leave it after so many commits, nothing of them checkpointed."""

    def leave(commits: int) -> Path:
        source, image = tmp_path / f"source-{commits}", tmp_path / f"image-{commits}"

        async def write() -> None:
            store = open_store(source)
            async with running(store):
                for n in range(commits):
                    await store.commit(put(f"pods/a/{n}", pad="x" * 1_000))
                shutil.copytree(source, image)

        anyio.run(write)
        return image

    return leave


def tail(directory: Path) -> Path:
    return directory / "log.db-wal"


def test_torn_write_that_nobody_was_told_of_is_dropped(crashed: Callable[[int], Path]) -> None:
    image = crashed(5)
    shutil.copy2(crashed(4) / "acknowledged", image / "acknowledged")
    os.truncate(tail(image), tail(image).stat().st_size - PAGE // 2)
    assert served(image) == [f"pods/a/{n}" for n in range(4)]


def test_garbage_behind_the_tail_is_ignored(crashed: Callable[[int], Path]) -> None:
    image = crashed(5)
    with tail(image).open("ab") as file:
        file.write(os.urandom(3 * FRAME + 100))
    assert len(served(image)) == 5


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - FRAME - 1)


def overwrite_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 3 * FRAME + 1_000)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize("damage", [cut, overwrite_middle, Path.unlink])
def test_damage_to_acknowledged_writes_is_refused(
    crashed: Callable[[int], Path], damage: Callable[[Path], None]
) -> None:
    image = crashed(5)
    damage(tail(image))
    for _ in range(2):  # a second start changes nothing
        with pytest.raises(StoreUnavailable, match=r"writes up to 6 were acknowledged.*Restore the directory"):
            served(image)
    (image / "acknowledged").unlink()
    assert len(served(image)) < 5


def test_lost_tail_is_kept_for_whoever_can_mend_it(crashed: Callable[[int], Path]) -> None:
    image = crashed(5)
    overwrite_middle(tail(image))
    damaged = tail(image).read_bytes()
    with pytest.raises(StoreUnavailable):
        served(image)
    assert (image / "log.db-wal.damaged").read_bytes() == damaged


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A directory that a store was stopped on, everything in its database."""

    async def write() -> None:
        store = open_store(tmp_path)
        async with running(store):
            for n in range(50):
                await store.commit(put(f"pods/a/{n}", pad="x" * 1_000))

    anyio.run(write)
    return tmp_path


def test_file_that_is_no_database_is_named(closed: Path) -> None:
    (closed / "log.db").write_bytes(b"something else entirely" * 1_000)
    with pytest.raises(StoreUnavailable, match=r"log\.db is damaged \(file is not a database\): restore .* backup"):
        open_store(closed)


def test_torn_database_is_refused(closed: Path) -> None:
    os.truncate(closed / "log.db", 3 * PAGE)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        open_store(closed)


def test_byte_changed_inside_an_object_is_noticed(closed: Path) -> None:
    database = (closed / "log.db").read_bytes()
    (closed / "log.db").write_bytes(database.replace(b"x" * 500, b"x" * 499 + b"y", 1))
    with pytest.raises(StoreUnavailable, match=r"pods/a/\d+ at revision \d+ is not what was written"):
        open_store(closed)


def test_log_of_another_format_is_refused(closed: Path) -> None:
    with sqlite3.connect(closed / "log.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreUnavailable, match="has format 99, and this version of kcore reads 1"):
        open_store(closed)


def test_object_that_can_not_be_decoded_is_named(closed: Path) -> None:
    class ForgetfulCodec(TreeCodec):
        def decode(self, key: str, data: bytes) -> object:
            raise LookupError("no such kind")

    with pytest.raises(StoreUnavailable, match="pods/a/0 at revision 2: no such kind"):
        EmbeddedStore(ForgetfulCodec(), SqliteLog(closed))
    assert len(served(closed)) == 50


def test_refused_directory_is_unlocked_again(closed: Path) -> None:
    content = (closed / "log.db").read_bytes()
    (closed / "log.db").write_bytes(b"x" * PAGE)
    with pytest.raises(StoreUnavailable):
        open_store(closed)
    (closed / "log.db").write_bytes(content)
    assert len(served(closed)) == 50


def test_directory_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    opening = f"from kcore.store.sqlite import SqliteLog; SqliteLog({str(tmp_path)!r})"
    second = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True, check=False)
    log.close()
    assert f"is in use by process {os.getpid()}: stop that, or choose another directory" in second.stderr
    assert subprocess.run([sys.executable, "-c", opening], check=False).returncode == 0


def test_nobody_else_may_read_what_is_stored(tmp_path: Path) -> None:
    directory = tmp_path / "data"

    async def write() -> None:
        async with running(store := open_store(directory)):
            await store.commit(put("secrets/a/x"))
            paths = [directory, *directory.iterdir()]
            assert directory / "log.db-wal" in paths
            assert [path for path in paths if path.stat().st_mode & 0o077] == []

    anyio.run(write)


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_file_in_place_of_the_directory_is_named(tmp_path: Path, inside: str) -> None:
    (tmp_path / "occupied").touch()
    with pytest.raises(StoreUnavailable, match=r"occupied.* can not be used: (File exists|Not a directory)"):
        SqliteLog(tmp_path / "occupied" / inside)


@pytest.fixture
def read_only(closed: Path) -> Iterator[Path]:
    """A directory nobody can write to: permissions do not hold root back, a read-only mount does."""
    if os.geteuid() != 0:
        closed.chmod(0o500)
        yield closed
        closed.chmod(0o700)
        return
    mount = ["mount", "--bind", "-o", "ro", str(closed), str(closed)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root, and not allowed to mount: nothing here can be read-only")
    yield closed
    subprocess.run(["umount", str(closed)], check=True)


def test_read_only_directory_is_named(read_only: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"can not be used: (Read-only file system|Permission denied).*writ"):
        SqliteLog(read_only / "data")
    with pytest.raises(StoreUnavailable, match=r"can not be (used|written)"):
        open_store(read_only)


def test_full_disk_refuses_writes_keeps_the_rest_and_recovers(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "tests.store.writer", str(tmp_path), "1", str(1_000_000)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "store_write_failed" in process.stderr
    assert "store_write_recovered" in process.stderr
    lines = process.stdout.splitlines()
    refusal = next(number for number, line in enumerate(lines) if line.startswith("refused "))
    assert "log.db can not be written" in lines[refusal]
    assert "writes resume by themselves" in lines[refusal]
    assert lines[-1].startswith("pods/afterwards/x "), "no write succeeded after space returned"
    said = [line for line in lines if not line.startswith("refused ")]
    assert len(said) > 100
    standing = {key: None if data == "-" else int(revision) for key, revision, data in map(str.split, said)}
    log = SqliteLog(tmp_path)
    store = EmbeddedStore(TreeCodec(), log)
    found = {key: record.revision if (record := store.get(key)) else None for key in standing}
    log.close()
    assert found == standing
