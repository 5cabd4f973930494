"""The log on disk: one SQLite table of events.

    position   revision and place within its commit: ascending, so that every append goes to the table's end
    key, data  the event's record
    deleted    1 if the record is a tombstone
    digest     CRC-32 over revision, key and data: SQLite does not notice when bytes change inside a row

An event stays while it is part of the current state or of the history. So the table is log and snapshot in one:
folded in order, it gives the state, and its end gives the history to resume watches from. Forgetting what newer
events have replaced is the compaction.

A batch is written by one INSERT of many VALUES, because the interpreter lock is given up and has to be won again at
every statement, against a loop that may be busy: a statement per row would let the loop starve the writer.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from zlib import crc32

import msgspec

from kcore.store.directory import DataDirectory
from kcore.store.log import Entry
from kcore.store.store import Event, EventType, StoreUnavailable

__all__ = ["SqliteLog"]

FORMAT = 1
ORDINAL_BITS = 16

# With 8 kB pages five common objects share a page, where 4 kB would hold two and waste the rest.
OPEN = """
PRAGMA page_size = 8192;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 2000;
"""
CREATE = f"""
BEGIN;
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE compacted (bucket TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
COMMIT;
"""
FORGET = f"""
DELETE FROM events WHERE position IN (
    SELECT entry.position FROM json_each(?) AS gone CROSS JOIN events AS entry
    WHERE entry.position >= json_extract(gone.value, '$[0]') << {ORDINAL_BITS}
    AND entry.position < (json_extract(gone.value, '$[0]') + 1) << {ORDINAL_BITS}
    AND entry.key = json_extract(gone.value, '$[1]')
)
"""
SET_COMPACTED = "INSERT INTO compacted VALUES (?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision"

COLUMNS = 5
STATEMENT_ROWS_MAX = 2048


class SqliteLog:
    """A `Log` in `directory`, which it locks. Every method raises StoreUnavailable where the disk fails it."""

    durable = True

    def __init__(self, directory: Path | str) -> None:
        self._directory = DataDirectory(Path(directory))
        self.path = self._directory.log
        try:
            self._database = self._open()
        except BaseException:
            self._directory.close()
            raise

    def compacted(self) -> Mapping[str, int]:
        with self._translated():
            return dict(self._database.execute("SELECT bucket, revision FROM compacted"))

    def entries(self) -> Iterable[Entry]:
        revision = max(self.compacted().values(), default=0)
        with self._translated():
            for position, key, deleted, digest, data in self._database.execute(
                "SELECT position, key, deleted, digest, data FROM events ORDER BY position"
            ):
                entry = Entry(position >> ORDINAL_BITS, key, bool(deleted), data)
                if _digest(entry.revision, key, data) != digest:
                    raise self._damaged(f"{key} at revision {entry.revision} is not what was written")
                yield entry
                revision = max(revision, entry.revision)
        self._check_reach(revision)

    def write(self, events: Sequence[Event]) -> None:
        with self._translated():
            if len(events) <= STATEMENT_ROWS_MAX:
                self._insert(_rows(events))
            else:
                with self._transaction():
                    rows = _rows(events)
                    while part := list(islice(rows, STATEMENT_ROWS_MAX)):
                        self._insert(part)
        self._directory.acknowledge(events[-1].record.revision)

    def forget(self, dropped: Sequence[Event], compacted: Mapping[str, int]) -> None:
        gone = msgspec.json.encode(list(_replaced(dropped))).decode()
        with self._translated(), self._transaction():
            self._database.executemany(SET_COMPACTED, compacted.items())
            self._database.execute(FORGET, (gone,))

    def close(self) -> None:
        self._database.close()
        self._directory.close()

    def _open(self) -> sqlite3.Connection:
        with self._translated():
            database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                database.executescript(OPEN)
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    database.executescript(CREATE)
                elif version != FORMAT:
                    raise StoreUnavailable(
                        f"the log {self.path} has format {version}, and this version of kcore reads {FORMAT}: "
                        "use the version that wrote it, or choose another directory"
                    )
            except BaseException:
                database.close()
                raise
            return database

    def _insert(self, rows: Iterable[tuple[int, str, int, int, bytes]]) -> None:
        values: list[object] = [value for row in rows for value in row]
        size = _padded(len(values) // COLUMNS)
        values.extend([None] * (size * COLUMNS - len(values)))
        self._database.execute(_insertion(size), values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # some errors end the transaction by themselves
                self._database.execute("ROLLBACK")
            raise

    def _check_reach(self, revision: int) -> None:
        """Refuse a log that has lost what was acknowledged."""
        acknowledged = self._directory.acknowledged()
        if revision >= acknowledged:
            return
        tail = self.path.with_name(self.path.name + "-wal")
        kept = tail.with_name(tail.name + ".damaged")
        if tail.exists() and not kept.exists():
            with suppress(OSError):
                shutil.copy2(tail, kept)  # closing the database will remove the original
        raise StoreUnavailable(
            f"the log {self.path} ends at revision {revision}, but writes up to {acknowledged} were acknowledged: its "
            f"tail is missing or damaged. Restore the directory from a backup, or delete {self._directory.mark} to go "
            "on without the lost writes"
        )

    def _damaged(self, detail: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"the log {self.path} is damaged ({detail}): restore {self._directory.path} from a backup, or move it away "
            "to start empty"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: sqlite3.Error) -> StoreUnavailable:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._damaged(str(error))
        advice = ADVICE.get(code, "see what the system's log says of this disk")
        return StoreUnavailable(f"the log {self.path} can not be written or read ({error}): {advice}")


ADVICE = {
    sqlite3.SQLITE_FULL: "free some space on this disk; writes resume by themselves",
    sqlite3.SQLITE_IOERR: "check this disk's space and health; writes resume by themselves once it works",
    sqlite3.SQLITE_READONLY: "make the file and its directory writable for this user",
    sqlite3.SQLITE_CANTOPEN: "make the file and its directory readable and writable for this user",
    sqlite3.SQLITE_PERM: "make the file and its directory readable and writable for this user",
    sqlite3.SQLITE_BUSY: "another program has the database open; close it",
}


def _rows(events: Iterable[Event]) -> Iterator[tuple[int, str, int, int, bytes]]:
    position = 0
    for event in events:
        record = event.record
        position = max(position + 1, record.revision << ORDINAL_BITS)
        assert position >> ORDINAL_BITS == record.revision, "too many operations in one commit"
        deleted = 1 if event.type is EventType.DELETED else 0
        yield position, record.key, deleted, _digest(record.revision, record.key, record.data), record.data


def _digest(revision: int, key: str, data: bytes) -> int:
    return crc32(data, crc32(key.encode(), revision & 0xFFFFFFFF))


def _replaced(dropped: Iterable[Event]) -> Iterator[tuple[int, str]]:
    """The entries that nothing needs once these events have left the history."""
    for event in dropped:
        if event.previous is not None:
            yield event.previous.revision, event.record.key
        if event.type is EventType.DELETED:
            yield event.revision, event.record.key


def _padded(rows: int) -> int:
    """The next power of two: a dozen prepared statements serve batches of every size."""
    return 1 << (rows - 1).bit_length()


@cache
def _insertion(size: int) -> str:
    """An INSERT of `size` rows, those without a position left out."""
    row = "(" + ", ".join("?" * COLUMNS) + ")"
    return f"INSERT INTO events SELECT * FROM (VALUES {', '.join([row] * size)}) WHERE column1 IS NOT NULL"
