"""What a scheduler may be told on a command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.plan import DEFAULT_PLAN, Plan

__all__ = ["SchedulerOptions"]


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """Raises ConfigurationError, a ValueError, where the files are wrong."""

    scheduler_config: Path | None = None
    policy: Path | None = None
    scheduler_plugin: tuple[str, ...] = ()
    plan: Plan = field(init=False, default=DEFAULT_PLAN)

    def __post_init__(self) -> None:
        if self.scheduler_config is not None and self.policy is not None:
            raise ConfigurationError("--scheduler-config and --policy exclude each other")
        if self.scheduler_config is not None or self.policy is not None or self.scheduler_plugin:
            object.__setattr__(self, "plan", self._load())

    def _load(self) -> Plan:
        # Reading and checking files is for those who bring some: it costs start-up time.
        from kcore.scheduler.config import loading, policy
        from kcore.scheduler.config.plan import default_plan
        from kcore.scheduler.config.registry import plugin_registry
        from kcore.scheduler.plugins import DEFAULT_PLUGINS

        registry = plugin_registry(self.scheduler_plugin)
        if self.policy is not None:
            return policy.load_policy(self.policy, registry)
        if self.scheduler_config is not None:
            return loading.load_configuration(self.scheduler_config, registry)
        names = [entry.name for entry in DEFAULT_PLUGINS]
        given = [entry for name, entry in registry.items() if name not in names and entry.is_given]
        return default_plan((*DEFAULT_PLUGINS, *given))
