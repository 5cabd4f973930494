"""How long each plugin takes, in one cycle of ten: asking for the time around every call is too much for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kcore.kit.clock import ticks
from kcore.scheduler.framework import Plugin, PostFilterResult, PreFilterResult, Status

__all__ = ["PluginTimes", "Tell", "status_of"]

ONE_CYCLE_IN = 10

P = ParamSpec("P")
R = TypeVar("R")

Tell = Callable[[str, str, str, float], None]
"""Is told of a call: the plugin, the extension point, the status, the seconds."""


def _untold(plugin: str, point: str, status: str, seconds: float) -> None:
    pass


class PluginTimes:
    """Those of one profile. A plugin that judges all nodes at once is measured doing so."""

    def __init__(self) -> None:
        self.tell: Tell = _untold
        self.measures = False
        """Whether this is a cycle that is measured."""
        self._cycles = 0

    def begin(self) -> None:
        """A cycle begins."""
        self._cycles += 1
        self.measures = self._cycles % ONE_CYCLE_IN == 0

    def end(self) -> None:
        self.measures = False

    def of(self, point: str, plugin: Plugin, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call, and measure it if this cycle is measured."""
        if not self.measures:
            return call(*args, **kwargs)
        began = ticks()
        result = call(*args, **kwargs)
        self.tell(plugin.name, point, status_of(result), ticks() - began)
        return result


def status_of(result: object) -> str:
    """What upstream calls an answer of a plugin."""
    if isinstance(result, PostFilterResult):
        return "Success" if result.nominated_node else "Unschedulable"
    if isinstance(result, PreFilterResult):
        result = result.status
    elif isinstance(result, tuple) and result and isinstance(result[0], Status):
        result = result[0]  # of Permit, which says how long to wait as well
    return result.code.value if isinstance(result, Status) else "Success"
