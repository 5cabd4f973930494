"""What a fake container answers to commands, and how it writes its log.

The annotation `kcore.dev/exec` is a YAML mapping from commands (shell patterns are understood) to answers: a text for
standard output, or a mapping of `stdout`, `stderr`, `exitCode` and `seconds`:

    kcore.dev/exec: |
      hostname: web-0
      "cat /etc/*": {stderr: "no such file", exitCode: 1}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

from kcore.api.core_v1 import Pod
from kcore.node.fake.script import text_of
from kcore.node.log_format import log_line
from kcore.node.runtime import ContainerRecord

__all__ = ["Answer", "ScriptedExecution", "answer_of", "written"]


class Answer(NamedTuple):
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    seconds: float = 0.0


def answer_of(pod: Pod, container: str, command: Sequence[str]) -> Answer | None:
    """What the script has for a command; None: nothing."""
    line = " ".join(command)
    for pattern, answer in _answers(text_of(pod, container, "exec")):
        if fnmatchcase(line, pattern):
            return answer
    return None


@lru_cache(maxsize=256)
def _answers(text: str) -> Sequence[tuple[str, Answer]]:
    import yaml  # scripts are rare, and the import takes its time

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return ()
    return [(str(key), _answer(value)) for key, value in document.items()] if isinstance(document, Mapping) else ()


def _answer(value: Any) -> Answer:
    if not isinstance(value, Mapping):
        return Answer(stdout=_line("" if value is None else str(value)))
    code, seconds = value.get("exitCode", 0), value.get("seconds", 0)
    return Answer(
        _line(str(value.get("stdout", ""))),
        _line(str(value.get("stderr", ""))),
        code if isinstance(code, int) else 1,
        float(seconds) if isinstance(seconds, int | float) else 0.0,
    )


def _line(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def written(pod: Pod, record: ContainerRecord, now: float) -> tuple[Iterator[bytes], float | None]:
    """The log lines that a container has written by `now`, and when it writes the next one (None: never)."""
    lines = text_of(pod, record.name, "logs").splitlines()
    pause, until = _seconds(text_of(pod, record.name, "log-seconds")), record.finished_at or now
    if not lines or not pause:
        return (log_line(record.started_at, line) for line in lines), None
    count = int((until - record.started_at) / pause + 1e-6) + 1
    spoken = (log_line(record.started_at + n * pause, lines[n % len(lines)]) for n in range(count))
    return spoken, None if record.exited else record.started_at + count * pause


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0


class ScriptedExecution:
    """A command whose answer is known before it begins. What is written to it is read and forgotten."""

    def __init__(self, answer: Answer, *, stdin: bool, tty: bool) -> None:
        output = answer.stdout + answer.stderr if tty else answer.stdout
        self.stdin: ByteSendStream | None = _Sink() if stdin else None
        self.stdout: ByteReceiveStream = _Source(output.encode(), answer.seconds)
        self.stderr: ByteReceiveStream | None = None if tty else _Source(answer.stderr.encode(), answer.seconds)
        self._answer = answer

    async def wait(self) -> int:
        await anyio.sleep(self._answer.seconds)
        return self._answer.exit_code

    def resize(self, columns: int, rows: int) -> None:
        """A script has no eyes."""

    async def aclose(self) -> None:
        """Nothing is held."""


class _Source(ByteReceiveStream):
    def __init__(self, data: bytes, after: float) -> None:
        self._data = data
        self._after = after

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await anyio.sleep(self._after)
        self._after = 0.0
        if not self._data:
            raise anyio.EndOfStream
        chunk, self._data = self._data[:max_bytes], self._data[max_bytes:]
        return chunk

    async def aclose(self) -> None:
        self._data = b""


class _Sink(ByteSendStream):
    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """There is no reader."""
