"""One set of plugins under one schedulerName, sorted into the extension points."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from kcore.api.core_v1 import Pod
from kcore.scheduler.framework import (
    UNSHARED,
    BindPlugin,
    ClusterEvent,
    Code,
    ColumnFilterPlugin,
    ColumnScorePlugin,
    CycleState,
    EventsToRegister,
    FilterPlugin,
    Hint,
    NormalizePlugin,
    PermitPlugin,
    Plugin,
    PostBindPlugin,
    PostFilterPlugin,
    PreBindPlugin,
    PreEnqueuePlugin,
    PreFilterPlugin,
    PreScorePlugin,
    QueueSortPlugin,
    ReservePlugin,
    ScorePlugin,
    SignPlugin,
    SpanningPlugin,
    Status,
)
from kcore.scheduler.pod_info import PodInfo

__all__ = ["DEFAULT_SCHEDULER_NAME", "Judge", "Profile", "Scorer"]

DEFAULT_SCHEDULER_NAME = "default-scheduler"


class Judge(NamedTuple):
    """A filter, and the form of it that judges all nodes at once."""

    plugin: FilterPlugin
    columns: ColumnFilterPlugin | None


class Scorer(NamedTuple):
    """A score with its weight, its form for all nodes at once, and its own scale."""

    plugin: ScorePlugin
    weight: int
    columns: ColumnScorePlugin | None
    normalizer: NormalizePlugin | None


class Profile:
    """Plugins with their weights, in the order in which they are asked."""

    def __init__(self, plugins: Sequence[tuple[Plugin, int]], scheduler_name: str = DEFAULT_SCHEDULER_NAME) -> None:
        self.scheduler_name = scheduler_name
        ordered = [plugin for plugin, _ in plugins]
        self.pre_enqueue = [plugin for plugin in ordered if isinstance(plugin, PreEnqueuePlugin)]
        self.queue_sort = next(plugin for plugin in ordered if isinstance(plugin, QueueSortPlugin))
        self.pre_filter = [plugin for plugin in ordered if isinstance(plugin, PreFilterPlugin)]
        self.filter = [
            Judge(plugin, plugin if isinstance(plugin, ColumnFilterPlugin) else None)
            for plugin in ordered
            if isinstance(plugin, FilterPlugin)
        ]
        self.post_filter = [plugin for plugin in ordered if isinstance(plugin, PostFilterPlugin)]
        self.pre_score = [plugin for plugin in ordered if isinstance(plugin, PreScorePlugin)]
        self.score = [
            Scorer(
                plugin,
                weight,
                plugin if isinstance(plugin, ColumnScorePlugin) else None,
                plugin if isinstance(plugin, NormalizePlugin) else None,
            )
            for plugin, weight in plugins
            if isinstance(plugin, ScorePlugin)
        ]
        self.reserve = [plugin for plugin in ordered if isinstance(plugin, ReservePlugin)]
        self.permit = [plugin for plugin in ordered if isinstance(plugin, PermitPlugin)]
        self.pre_bind = [plugin for plugin in ordered if isinstance(plugin, PreBindPlugin)]
        self.bind = [plugin for plugin in ordered if isinstance(plugin, BindPlugin)]
        self.post_bind = [plugin for plugin in ordered if isinstance(plugin, PostBindPlugin)]
        self.spanning = [plugin for plugin in ordered if isinstance(plugin, SpanningPlugin)]
        judges: dict[Plugin, None] = dict.fromkeys(self.pre_filter)
        judges |= dict.fromkeys([*[judge.plugin for judge in self.filter], *[scorer.plugin for scorer in self.score]])
        self._signers = [plugin for plugin in judges if isinstance(plugin, SignPlugin)]
        self._shares = len(self._signers) == len(judges)
        self.events: Mapping[str, Mapping[ClusterEvent, Hint | None]] = {
            plugin.name: plugin.events() for plugin in ordered if isinstance(plugin, EventsToRegister)
        }

    def may_enqueue(self, pod: Pod) -> Status | None:
        """The first objection to a pod's entering the queue."""
        for plugin in self.pre_enqueue:
            status = plugin.pre_enqueue(pod)
            if status is not None:
                return status._replace(plugin=plugin.name)
        return None

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        return self.queue_sort.sort_key(pod, since)

    def signature(self, pod: PodInfo) -> Hashable | None:
        """Pods of equal signature fit the same nodes with the same scores; None: a plugin does not say."""
        if not self._shares:
            return None
        signatures = tuple([plugin.sign(pod) for plugin in self._signers])
        return None if UNSHARED in signatures else signatures

    def run_reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        """Reserve what the pod needs on its node; all is undone where one plugin objects."""
        for plugin in self.reserve:
            status = plugin.reserve(state, pod, node_name)
            if status is not None:
                self.run_unreserve(state, pod, node_name)
                return status._replace(plugin=plugin.name)
        return None

    def run_unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        for plugin in reversed(self.reserve):
            plugin.unreserve(state, pod, node_name)

    def run_permit(self, state: CycleState, pod: PodInfo, node_name: str) -> tuple[Status | None, float]:
        """The first refusal; else WAIT with the shortest of the times asked for, if any plugin asks for one."""
        waits: list[tuple[Status, float]] = []
        for plugin in self.permit:
            status, seconds = plugin.permit(state, pod, node_name)
            if status is not None:
                status = status._replace(plugin=plugin.name)
                if status.code is not Code.WAIT:
                    return status, 0.0
                waits.append((status, seconds))
        return min(waits, key=lambda wait: wait[1]) if waits else (None, 0.0)

    def needs_pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> bool:
        """Whether a plugin has to do something before the pod is bound."""
        return any(plugin.needs_pre_bind(state, pod, node_name) for plugin in self.pre_bind)

    async def run_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        """PreBind, then the first Bind plugin that does not skip, then PostBind."""
        for pre in self.pre_bind:
            status = await pre.pre_bind(state, pod, node_name) if pre.needs_pre_bind(state, pod, node_name) else None
            if status is not None:
                reason = f'running PreBind plugin "{pre.name}": {", ".join(status.reasons)}'
                return Status(status.code, (reason,), pre.name)
        for binder in self.bind:
            status = await binder.bind(state, pod, node_name)
            if status is None:
                break
            if status.code is not Code.SKIP:
                return status._replace(plugin=binder.name)
        else:
            return Status(Code.ERROR, ("no plugin bound the pod",))
        for post in self.post_bind:
            await post.post_bind(state, pod, node_name)
        return None
