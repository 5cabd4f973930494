"""What a component in a process of its own tells at its door: that it is alive, its figures, and documents about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from kcore.kit.door import Answer, Reply

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Collector", "telling"]

_ALIVE = ("/healthz", "/livez", "/readyz")


class Collector(Protocol):
    """The figures of one moment."""

    def collect(self) -> Iterable[Metric]: ...


def telling(figures: Callable[[], Collector], documents: Mapping[str, Callable[[], object]] | None = None) -> Answer:
    """Answers for a `Door`: `/metrics`, the health of who answers at all, and `documents` as JSON by their paths."""

    def answer(path: str) -> Reply | None:
        if path in _ALIVE:
            return Reply(200, b"ok")
        if path == "/metrics":
            return Reply(200, _rendered(figures()))
        document = (documents or {}).get(path)
        if document is None:
            return None
        return Reply(200, json.dumps(document(), indent=2).encode() + b"\n", "application/json")

    return answer


def _rendered(figures: Collector) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    return generate_latest(registry)
