"""`kcore scheduler`: kube-scheduler for a cluster that is served elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kcore.commands.flags.scheduler import scheduler_options
from kcore.commands.options import fail, logging_options, metrics_option, remote_options

if TYPE_CHECKING:
    from kcore.kit.service import Service

__all__ = ["scheduler"]


@click.command()
@remote_options
@scheduler_options
@metrics_option
@logging_options
def scheduler(
    kubeconfig: Path,
    context: str,
    leader_elect: bool,
    metrics_port: int | None,
    log_format: str,
    log_level: str,
    scheduler: Any,
) -> None:
    """Schedule the pods of a cluster that is served elsewhere, until Ctrl-C."""
    from kcore import standalone
    from kcore.kit import logs
    from kcore.kit.door import Door
    from kcore.kit.process import CannotStart
    from kcore.kit.telling import telling
    from kcore.scheduler.scheduler import Scheduler

    logs.configure(log_format, log_level)

    def services(around: standalone.Surroundings) -> Iterator[Service]:
        made = Scheduler(around.client, around.informers, around.events, around.clock, around.chance, scheduler.plan)
        if metrics_port is not None:
            yield Door("127.0.0.1", metrics_port, telling(made.metrics.figures))
        yield made

    component = standalone.Component("kube-scheduler", services)
    remote = standalone.Remote(kubeconfig, context, leader_elect=leader_elect)
    try:
        standalone.run_component(component, remote, lambda: click.echo("kube-scheduler works; Ctrl-C stops it."))
    except CannotStart as error:
        fail(str(error))
