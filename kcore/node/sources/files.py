"""Static pods from a folder, or from one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from anyio.abc import TaskStatus
from anyio.to_thread import run_sync

from kcore.api.core_v1 import Pod
from kcore.api.timestamp import format_seconds
from kcore.kit.clock import Clock
from kcore.kit.file_changes import watching
from kcore.node.sources.manifests import ManifestError, static_pods

__all__ = ["FileSource", "OnPods"]

OnPods = Callable[[Sequence[Pod]], None]
"""Called with all pods of a source."""

log = structlog.get_logger(__name__)


class FileSource:
    """Reads at once what has changed, and everything every so often. A file that makes no sense keeps the pods that it
    had when it did; one that is gone takes them along."""

    def __init__(self, path: Path, node: str, every: float, clock: Clock, on_pods: OnPods) -> None:
        self._path = path
        self._node = node
        self._every = every
        self._clock = clock
        self._on_pods = on_pods
        self._pods: dict[str, Sequence[Pod]] = {}
        self._read: dict[str, bytes] = {}
        self._was_read = False

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Read until cancelled. Started once everything was read."""
        folder = self._path if await run_sync(self._path.is_dir) else self._path.parent
        async with watching(folder) as changes:
            self._take(await run_sync(self._files))
            task_status.started()
            while True:
                await changes.wait(at_most=self._every)
                self._take(await run_sync(self._files))

    def _files(self) -> Mapping[str, bytes]:
        """What the files say, but for hidden ones. Blocks."""
        if not self._path.exists():
            return {}
        paths = sorted(self._path.iterdir()) if self._path.is_dir() else [self._path]
        found = {}
        for path in paths:
            if path.name.startswith(".") or not path.is_file():
                continue
            try:
                found[str(path)] = path.read_bytes()
            except OSError as error:
                log.warning("manifest not read", file=str(path), why=str(error))
                if str(path) in self._read:
                    found[str(path)] = self._read[str(path)]
        return found

    def _take(self, files: Mapping[str, bytes]) -> None:
        if files == self._read and self._was_read:
            return
        self._was_read = True
        for name, data in files.items():
            if self._read.get(name) == data:
                continue
            try:
                seen = format_seconds(self._clock.now())
                self._pods[name] = static_pods(data, self._node, "file", name, seen)
            except ManifestError as error:
                log.warning("manifest makes no sense; what runs of it goes on", file=name, why=str(error))
        for name in self._pods.keys() - files.keys():
            del self._pods[name]
        self._read = dict(files)
        self._on_pods([pod for pods in self._pods.values() for pod in pods])
