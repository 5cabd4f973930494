"""From a configuration to what profiles are made of: which plugins, at which extension points, with which weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.types import Extender, KubeSchedulerProfile, LeaderElection, PluginRef, Plugins, PluginSet
from kcore.scheduler.framework import POINTS
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Entry, Handle
from kcore.scheduler.profile import DEFAULT_SCHEDULER_NAME, Profile

__all__ = ["DEFAULT_PLAN", "Plan", "ProfilePlan", "arrange", "default_plan", "make_profile", "merge", "plan_profile"]

ACCOMPANIED = {"pre_filter": "filter", "pre_score": "score", "reserve": "filter", "pre_bind": "filter"}
"""Extension points that belong to a filter or a score."""


class ProfilePlan(NamedTuple):
    """One profile. `plugins` says how each is made, and with what; `plugin_sets` None: all of them serve whatever they
    implement, in their order. `prepares`: plugins that filter or score also serve what goes before and after that."""

    scheduler_name: str
    plugins: Sequence[tuple[Entry, Any]]
    plugin_sets: Plugins | None = None
    percentage: int = 0
    prepares: bool = False


class Plan(NamedTuple):
    """All that a scheduler is told."""

    profiles: Sequence[ProfilePlan]
    extenders: Sequence[Extender] = ()
    initial_backoff: float = 1.0
    max_backoff: float = 10.0
    leader_election: LeaderElection = LeaderElection()

    @property
    def backoff(self) -> tuple[float, float]:
        """How long a pod that failed waits at first, and at most."""
        return self.initial_backoff, self.max_backoff


def default_plan(entries: Iterable[Entry] = DEFAULT_PLUGINS, name: str = DEFAULT_SCHEDULER_NAME) -> Plan:
    """One profile of some plugins, told nothing."""
    return Plan([ProfilePlan(name, [(entry, entry.no_args()) for entry in entries])])


DEFAULT_PLAN = default_plan()


def plan_profile(
    profile: KubeSchedulerProfile, registry: Mapping[str, Entry], args: Mapping[str, Any], percentage: int
) -> ProfilePlan:
    """Choose the plugins of a profile by what its file says."""
    sets = profile.plugins or Plugins()
    multi = merge(_defaults(), sets.multi_point)
    needed = dict.fromkeys(ref.name for ref in multi)
    for point in POINTS:
        needed |= dict.fromkeys(ref.name for ref in getattr(sets, point).enabled)
    for name in needed:
        if name not in registry:
            known = ", ".join(sorted(registry))
            raise ConfigurationError(
                f"profile {profile.scheduler_name}: plugin {name!r} does not exist; there are {known}"
            )
    for name in args:
        if name not in registry:
            where = f"profile {profile.scheduler_name}"
            raise ConfigurationError(f"{where}: pluginConfig for {name!r}, which does not exist")
    plugins = [(registry[name], args[name] if name in args else registry[name].no_args()) for name in needed]
    resolved = Plugins(multi_point=PluginSet(enabled=tuple(multi)), **{point: getattr(sets, point) for point in POINTS})
    return ProfilePlan(profile.scheduler_name, plugins, resolved, percentage)


def _defaults() -> list[PluginRef]:
    return [PluginRef(name=entry.name, weight=entry.weight) for entry in DEFAULT_PLUGINS]


def make_profile(plan: ProfilePlan, handle: Handle) -> Profile:
    """The profile itself. Raises ConfigurationError."""
    made = [(entry.make(handle, args), entry.weight) for entry, args in plan.plugins]
    points = None
    if plan.plugin_sets is not None:
        serves = {
            plugin.name: frozenset(point for point, kind in POINTS.items() if isinstance(plugin, kind))
            for plugin, _ in made
        }
        points = arrange(plan.plugin_sets, serves)
        for point, after in ACCOMPANIED.items() if plan.prepares else ():
            points[point] = [(name, weight) for name, weight in points[after] if point in serves[name]]
    profile = Profile(made, plan.scheduler_name, points, plan.percentage)
    if not profile.bind:
        name = plan.scheduler_name
        raise ConfigurationError(f'at least one bind plugin is needed for profile with scheduler name "{name}"')
    return profile


def merge(defaults: Iterable[PluginRef], told: PluginSet) -> list[PluginRef]:
    """The default plugins as a set changes them: without what it disables (`*` is all), what it enables again told
    otherwise in its old place, what is new at the end."""
    disabled = {ref.name for ref in told.disabled}
    enabled = {ref.name: ref for ref in told.enabled}
    kept = [] if "*" in disabled else [ref for ref in defaults if ref.name not in disabled]
    merged = [enabled.pop(ref.name, ref) for ref in kept]
    return [*merged, *enabled.values()]


def arrange(sets: Plugins, serves: Mapping[str, frozenset[str]]) -> dict[str, list[tuple[str, int]]]:
    """Who serves each extension point. `serves` says which points each plugin implements.

    A point's own list comes first where it overrides `multiPoint`, then the rest of that, then what is new.
    """
    return {point: _arrange_point(point, getattr(sets, point), sets.multi_point, serves) for point in POINTS}


def _arrange_point(
    point: str, told: PluginSet, multi: PluginSet, serves: Mapping[str, frozenset[str]]
) -> list[tuple[str, int]]:
    for ref in told.enabled:
        if point not in serves[ref.name]:
            raise ConfigurationError(f"plugin {ref.name!r} does not extend {point} plugin")
    disabled = {ref.name for ref in told.disabled}
    own = {ref.name: ref for ref in told.enabled}
    general = {ref.name: ref for ref in multi.enabled if point in serves[ref.name]}
    overriding = [ref for ref in told.enabled if ref.name in general]
    rest = [ref for ref in general.values() if ref.name not in own and ref.name not in disabled and "*" not in disabled]
    added = [ref for ref in told.enabled if ref.name not in general]
    return [(ref.name, _weight(ref, general.get(ref.name))) for ref in (*overriding, *rest, *added)]


def _weight(ref: PluginRef, general: PluginRef | None) -> int:
    """A weight of zero is none given: such a plugin counts once."""
    return ref.weight or (general.weight if general is not None else 0) or 1
