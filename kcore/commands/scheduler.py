"""`kcore scheduler`: kube-scheduler for a cluster that is served elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kcore.commands.flags.scheduler import scheduler_options
from kcore.commands.options import fail, logging_options, remote_options

__all__ = ["scheduler"]


@click.command()
@remote_options
@scheduler_options
@logging_options
def scheduler(
    kubeconfig: Path, context: str, leader_elect: bool, log_format: str, log_level: str, scheduler: Any
) -> None:
    """Schedule the pods of a cluster that is served elsewhere, until Ctrl-C."""
    from kcore import standalone
    from kcore.kit import logs
    from kcore.kit.process import CannotStart
    from kcore.scheduler.scheduler import Scheduler

    logs.configure(log_format, log_level)
    component = standalone.Component(
        "kube-scheduler",
        lambda around: (
            Scheduler(around.client, around.informers, around.events, around.clock, around.chance, scheduler.plan),
        ),
    )
    remote = standalone.Remote(kubeconfig, context, leader_elect=leader_elect)
    try:
        standalone.run_component(component, remote, lambda: click.echo("kube-scheduler works; Ctrl-C stops it."))
    except CannotStart as error:
        fail(str(error))
