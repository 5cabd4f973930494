"""One set of plugins under one schedulerName, sorted into the extension points."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from kcore.api.core_v1 import Pod
from kcore.kit.clock import ticks
from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.extender import Extender
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
    PodBlindPlugin,
    PostBindPlugin,
    PostFilterPlugin,
    PreBindPlugin,
    PreEnqueuePlugin,
    PreFilterPlugin,
    PreScorePlugin,
    QueueSortPlugin,
    ReservePlugin,
    RoomPlugin,
    ScorePlugin,
    SignPlugin,
    SpanningPlugin,
    Status,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugin_times import PluginTimes, status_of
from kcore.scheduler.pod_info import PodInfo

__all__ = ["DEFAULT_SCHEDULER_NAME", "Judge", "Profile", "Scorer"]

DEFAULT_SCHEDULER_NAME = "default-scheduler"

P = TypeVar("P", bound=Plugin)


Observe = Callable[[str, str, str, float], None]
"""Is told of an extension point that was run: its name, the status, the profile, the seconds."""


def _unobserved(point: str, status: str, profile: str, seconds: float) -> None:
    pass


class Judge(NamedTuple):
    """A filter, the form of it that judges all nodes at once, and what preemption may know of it."""

    plugin: FilterPlugin
    columns: ColumnFilterPlugin | None
    spans: bool
    is_blind: bool
    room: RoomPlugin | None


class Judges(NamedTuple):
    """Filters, the bound methods of those that look at single nodes, and the names of those that span nodes."""

    all: Sequence[Judge]
    checks: Sequence[Callable[[CycleState, PodInfo, NodeInfo], Status | None]]
    spanning: frozenset[str]


class Scorer(NamedTuple):
    """A score with its weight, its form for all nodes at once, and its own scale."""

    plugin: ScorePlugin
    weight: int
    columns: ColumnScorePlugin | None
    normalizer: NormalizePlugin | None
    spans: bool


class Profile:
    """Plugins with their weights, in the order in which they are asked."""

    def __init__(
        self,
        plugins: Sequence[tuple[Plugin, int]],
        scheduler_name: str = DEFAULT_SCHEDULER_NAME,
        points: Mapping[str, Sequence[tuple[str, int]]] | None = None,
        percentage: int = 0,
    ) -> None:
        """`points` says who serves which extension point with which weight; without it each plugin serves all that it
        implements. `percentage`: how many of the nodes that fit are enough to choose from; 0: only all are."""
        self.scheduler_name = scheduler_name
        self.percentage = percentage
        self._plugins = {plugin.name: (plugin, weight) for plugin, weight in plugins}
        self._points = points
        self.pre_enqueue = self._at(PreEnqueuePlugin, "pre_enqueue")
        self.queue_sort = self._queue_sort()
        self.pre_filter = self._at(PreFilterPlugin, "pre_filter")
        self.filter = [
            Judge(
                plugin,
                plugin if isinstance(plugin, ColumnFilterPlugin) else None,
                isinstance(plugin, SpanningPlugin),
                isinstance(plugin, PodBlindPlugin),
                plugin if isinstance(plugin, RoomPlugin) else None,
            )
            for plugin in self._at(FilterPlugin, "filter")
        ]
        self._judges: dict[frozenset[str], Judges] = {}
        self.post_filter = self._at(PostFilterPlugin, "post_filter")
        self.pre_score = self._at(PreScorePlugin, "pre_score")
        self.score = [self._scorer(name, weight) for name, weight in self._names(ScorePlugin, "score")]
        self.reserve = self._at(ReservePlugin, "reserve")
        self.permit = self._at(PermitPlugin, "permit")
        self.pre_bind = self._at(PreBindPlugin, "pre_bind")
        self.bind = self._at(BindPlugin, "bind")
        self.post_bind = self._at(PostBindPlugin, "post_bind")
        self.observe: Observe = _unobserved
        self.times = PluginTimes()
        judges: dict[Plugin, None] = dict.fromkeys(self.pre_filter)
        judges |= dict.fromkeys([*[judge.plugin for judge in self.filter], *[scorer.plugin for scorer in self.score]])
        self.spanning = [plugin for plugin in judges if isinstance(plugin, SpanningPlugin)]
        self._signers = [plugin for plugin in judges if isinstance(plugin, SignPlugin)]
        self._shares = len(self._signers) == len(judges)
        self.events: Mapping[str, Mapping[ClusterEvent, Hint | None]] = {
            plugin.name: plugin.events() for plugin, _ in plugins if isinstance(plugin, EventsToRegister)
        }

    def _names(self, kind: type[Plugin], point: str) -> Sequence[tuple[str, int]]:
        """Who serves an extension point, with weights."""
        if self._points is not None:
            return self._points[point]
        return [(name, weight) for name, (plugin, weight) in self._plugins.items() if isinstance(plugin, kind)]

    def _at(self, kind: type[P], point: str) -> list[P]:
        served = []
        for name, _ in self._names(kind, point):
            plugin = self._plugins[name][0]
            assert isinstance(plugin, kind)
            served.append(plugin)
        return served

    def _queue_sort(self) -> QueueSortPlugin:
        sorts = self._at(QueueSortPlugin, "queue_sort")
        if len(sorts) != 1:
            name, count = self.scheduler_name, len(sorts)
            raise ConfigurationError(
                f'only one queue sort plugin required for profile with scheduler name "{name}", but got {count}'
            )
        return sorts[0]

    def _scorer(self, name: str, weight: int) -> Scorer:
        plugin = self._plugins[name][0]
        assert isinstance(plugin, ScorePlugin)
        columns = plugin if isinstance(plugin, ColumnScorePlugin) else None
        normalizer = plugin if isinstance(plugin, NormalizePlugin) else None
        return Scorer(plugin, weight, columns, normalizer, isinstance(plugin, SpanningPlugin))

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

    def judges(self, skipped: frozenset[str]) -> Judges:
        """The filters without those that PreFilter has skipped."""
        found = self._judges.get(skipped)
        if found is None:
            left = [judge for judge in self.filter if judge.plugin.name not in skipped]
            checks = [judge.plugin.filter for judge in left if not judge.spans]
            spanning = frozenset([judge.plugin.name for judge in left if judge.spans])
            found = self._judges[skipped] = Judges(left, checks, spanning)
        return found

    def alike(self, plugin: str, pod: PodInfo) -> Hashable:
        """Equal for pods about which all hints of a plugin say the same, unless room is kept for one of them. Of
        plugins that do not sign nothing is known."""
        signature = self.signature(pod) if any(signer.name == plugin for signer in self._signers) else None
        return pod.uid if signature is None else (self.scheduler_name, pod.kin, signature)

    def run_reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        """Reserve what the pod needs on its node; all is undone where one plugin objects."""
        for plugin in self.reserve:
            status = self.times.of("Reserve", plugin, plugin.reserve, state, pod, node_name)
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
            status, seconds = self.times.of("Permit", plugin, plugin.permit, state, pod, node_name)
            if status is not None:
                status = status._replace(plugin=plugin.name)
                if status.code is not Code.WAIT:
                    return status, 0.0
                waits.append((status, seconds))
        return min(waits, key=lambda wait: wait[1]) if waits else (None, 0.0)

    def needs_pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> bool:
        """Whether a plugin has to do something before the pod is bound."""
        return any(plugin.needs_pre_bind(state, pod, node_name) for plugin in self.pre_bind)

    async def run_bind(
        self, state: CycleState, pod: PodInfo, node_name: str, extender: Extender | None = None, measures: bool = False
    ) -> Status | None:
        """PreBind, then the first Bind plugin that does not skip, or an extender in their place, then PostBind.
        `measures`: whether the cycle was measured to which this belongs."""
        began = ticks() if self.pre_bind else 0.0
        for pre in self.pre_bind:
            status = None
            if pre.needs_pre_bind(state, pod, node_name):
                status = await self._awaited("PreBind", pre, pre.pre_bind(state, pod, node_name), measures)
            if status is not None:
                reason = f'running PreBind plugin "{pre.name}": {", ".join(status.reasons)}'
                self._told("PreBind", status, began)
                return Status(status.code, (reason,), pre.name)
        if self.pre_bind:
            self._told("PreBind", None, began)
        began = ticks()
        if extender is not None:
            await extender.bind(pod.pod, node_name)
        else:
            status = await self._bind(state, pod, node_name, measures)
            if status is not None:
                self._told("Bind", status, began)
                return status
        self._told("Bind", None, began)
        for post in self.post_bind:
            await post.post_bind(state, pod, node_name)
        return None

    async def _awaited(
        self, point: str, plugin: Plugin, pending: Awaitable[Status | None], measures: bool
    ) -> Status | None:
        began = ticks()
        status = await pending
        if measures:
            self.times.tell(plugin.name, point, status_of(status), ticks() - began)
        return status

    async def _bind(self, state: CycleState, pod: PodInfo, node_name: str, measures: bool) -> Status | None:
        for binder in self.bind:
            status = await self._awaited("Bind", binder, binder.bind(state, pod, node_name), measures)
            if status is None or status.code is not Code.SKIP:
                return status._replace(plugin=binder.name) if status is not None else None
        return Status(Code.ERROR, ("no plugin bound the pod",))

    def _told(self, point: str, status: Status | None, began: float) -> None:
        self.observe(
            point, status.code.value if status is not None else "Success", self.scheduler_name, ticks() - began
        )
