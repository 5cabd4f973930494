"""What the annotations of a pod say that its fake containers do. A value that makes no sense counts as absent."""

from __future__ import annotations

from typing import NamedTuple

from kcore.api.core_v1 import Pod
from kcore.node.containers import is_sidecar
from kcore.node.runtime import AnyContainer

__all__ = ["Script", "script_of", "text_of"]

PREFIX = "kcore.dev/"
JOB_SECONDS = 1.0
SIGKILLED = 137
SIGTERMED = 143


class Script(NamedTuple):
    """What a fake container does with its life. Times are in seconds, before `jitter` makes them longer."""

    run_seconds: float | None = None
    exit_code: int = 0
    crashes: int | None = None
    oom: bool = False
    message: str = ""
    stop_seconds: float = 0.0
    pull_seconds: float = 0.0
    pull_error: str = ""
    pull_failures: int | None = None
    start_seconds: float | None = None
    ready_seconds: float | None = 0.0
    live_seconds: float | None = None
    jitter: float = 0.0

    def run_seconds_of(self, attempt: int) -> float | None:
        """How long the attempt with that many restarts before it runs; None: on and on."""
        return None if self.crashes is not None and attempt >= self.crashes else self.run_seconds

    def pull_fails(self, failures: int) -> bool:
        """Whether a pull fails that comes after so many that did."""
        return bool(self.pull_error) and (self.pull_failures is None or failures < self.pull_failures)


_UNWRITTEN = {seconds: Script(run_seconds=seconds) for seconds in (None, 0.0, JOB_SECONDS)}
"""Of pods whose annotations say nothing, by when their containers end."""


def script_of(pod: Pod, container: AnyContainer) -> Script:
    """The script of one container."""
    ordinary = any(c.name == container.name for c in pod.spec.containers)
    annotations = pod.metadata.annotations
    if not annotations or not any(key.startswith(PREFIX) for key in annotations):
        return _UNWRITTEN[_natural_end(pod, container, ordinary)]

    def text(name: str) -> str | None:
        own = annotations.get(f"{PREFIX}{name}.{container.name}")
        return annotations.get(PREFIX + name) if own is None and ordinary else own

    def number(name: str) -> float | None:
        try:
            return None if (value := text(name)) is None else max(0.0, float(value))
        except ValueError:
            return None

    oom, exit_code, run_seconds, crashes = text("oom") == "true", number("exit-code"), number("run-seconds"), None
    if (given := number("crashes")) is not None:
        crashes = int(given)
        exit_code = 1.0 if exit_code is None else exit_code
    if run_seconds is None:
        ends = exit_code is not None or oom
        run_seconds = 0.0 if ends else _natural_end(pod, container, ordinary)
    failures = number("pull-failures")
    return Script(
        run_seconds=run_seconds,
        exit_code=SIGKILLED if oom else int(exit_code or 0),
        crashes=crashes,
        oom=oom,
        message=text("message") or "",
        stop_seconds=number("stop-seconds") or 0.0,
        pull_seconds=number("pull-seconds") or 0.0,
        pull_error=text("pull-error") or ("the registry does not answer" if failures else ""),
        pull_failures=None if failures is None else int(failures),
        start_seconds=number("start-seconds"),
        ready_seconds=None if text("ready") == "false" else number("ready-seconds") or 0.0,
        live_seconds=number("live-seconds"),
        jitter=number("jitter") or 0.0,
    )


def text_of(pod: Pod, name: str, annotation: str) -> str:
    """What an annotation says for the container called `name`."""
    annotations = pod.metadata.annotations
    own = annotations.get(f"{PREFIX}{annotation}.{name}")
    if own is None and any(c.name == name for c in pod.spec.containers):
        own = annotations.get(PREFIX + annotation)
    return own or ""


def _natural_end(pod: Pod, container: AnyContainer, ordinary: bool) -> float | None:
    """When a container ends of which no annotation says so: that of a Job soon, an init container at once, while
    sidecars, ephemeral and other containers run on."""
    if ordinary:
        owned = any(owner.kind == "Job" and owner.controller for owner in pod.metadata.owner_references)
        return JOB_SECONDS if owned else None
    return 0.0 if any(c.name == container.name and not is_sidecar(c) for c in pod.spec.init_containers) else None
