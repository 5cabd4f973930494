"""Events as lines of a file (`--audit-log-*`), which is put aside when it has grown too large."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec
import structlog

from kcore.kit.clock import Clock

__all__ = ["LogFile", "json_line", "legacy_line"]

log = structlog.get_logger(__name__)

_MEGABYTE = 1024 * 1024
_DAY_SECONDS = 24 * 3600
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}")


def json_line(event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event) + b"\n"


def legacy_line(event: dict[str, Any]) -> bytes:
    """`--audit-log-format legacy`: one line of words, without objects."""
    user, acting = event["user"], event.get("impersonatedUser", {})
    code = event.get("responseStatus", {}).get("code", 0)
    words = {
        "id": event["auditID"],
        "stage": event["stage"],
        "ip": event["sourceIPs"][0] if event["sourceIPs"] else "<unknown>",
        "method": event["verb"],
        "user": user["username"] or "<none>",
        "groups": _listed(user.get("groups", ())),
        "as": acting.get("username", "<self>"),
        "asgroups": _listed(acting.get("groups", ())) if acting else "<lookup>",
        "user-agent": event.get("userAgent", ""),
        "namespace": event.get("objectRef", {}).get("namespace", "<none>"),
        "uri": event["requestURI"],
        "response": str(code) if code else "<deferred>",
    }
    shown = " ".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in words.items())
    return f"{event['stageTimestamp']} AUDIT: {shown}\n".encode()


def _listed(groups: Sequence[str]) -> str:
    return ",".join(f'"{group}"' for group in groups) or "<none>"


class LogFile:
    """`path` None: standard output. Sizes are in megabytes, ages in days; 0 is no limit."""

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        line: Callable[[dict[str, Any]], bytes] = json_line,
        *,
        size_max: int = 100,
        age_max: int = 0,
        backups_max: int = 0,
        compress: bool = False,
    ) -> None:
        self._path = path
        self._clock = clock
        self._line = line
        self._size_max = size_max * _MEGABYTE
        self._age_max = age_max
        self._backups_max = backups_max
        self._compress = compress

    async def write(self, events: Sequence[dict[str, Any]]) -> None:
        lines = b"".join(map(self._line, events))
        try:
            await anyio.to_thread.run_sync(self._append, lines)
        except OSError as error:
            log.error("audit log can not be written", path=str(self._path), why=str(error), lost=len(events))

    def _append(self, lines: bytes) -> None:
        if self._path is None:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._size_max and self._path.exists() and self._path.stat().st_size + len(lines) > self._size_max:
            self._put_aside(self._path)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(lines)

    def _put_aside(self, path: Path) -> None:
        """`audit.log` becomes `audit-2006-01-02T15-04-05.000.log`; then the oldest go."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        stamp = f"{now:%Y-%m-%dT%H-%M-%S}.{now.microsecond // 1000:03d}"
        aside = path.with_name(f"{path.stem}-{stamp}{path.suffix}")
        path.rename(aside)
        if self._compress:
            with aside.open("rb") as plain, gzip.open(f"{aside}.gz", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            Path(f"{aside}.gz").chmod(0o600)
            aside.unlink()
        for old in self._outlived(path):
            old.unlink(missing_ok=True)

    def _outlived(self, path: Path) -> Iterator[Path]:
        backups = sorted(
            (p for p in path.parent.glob(f"{path.stem}-*{path.suffix}*") if _STAMP.search(p.name)), reverse=True
        )
        if self._backups_max:
            yield from backups[self._backups_max :]
        if self._age_max:
            oldest = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(self._clock.now() - self._age_max * _DAY_SECONDS))
            for backup in backups:
                stamp = _STAMP.search(backup.name)
                if stamp is not None and stamp[0] < oldest:
                    yield backup
