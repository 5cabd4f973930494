"""How pods are scheduled."""

from __future__ import annotations

from click import Option

from kcore.commands.flags.group import ExistingFile, flags

__all__ = ["scheduler_options"]

scheduler_options = flags(
    "scheduler",
    "kcore.scheduler.options:SchedulerOptions",
    Option(
        ["--scheduler-config", "--config", "scheduler_config"],
        type=ExistingFile,
        help="YAML file of kind KubeSchedulerConfiguration: profiles, plugins and their args, extenders.",
    ),
    Option(["--policy"], type=ExistingFile, help="File of kind Policy: predicates and priorities by name."),
    Option(
        ["--scheduler-plugin"],
        multiple=True,
        metavar="MODULE:CLASS",
        help="Plugin of your own; without --scheduler-config it serves the default profile.",
    ),
)
