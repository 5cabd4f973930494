"""`kcore proxy`: kube-proxy for a cluster that is served elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kcore.commands.flags.proxy import proxy_options
from kcore.commands.options import Network, fail, kubeconfig_options, logging_options

__all__ = ["proxy"]


@click.command()
@kubeconfig_options
@proxy_options
@click.option("--hostname-override", default="", help="Name of the node that this machine is.  [default: every node]")
@click.option(
    "--service-cidr", type=Network(), default="10.96.0.0/16", show_default=True, help="Addresses of Services."
)
@click.option("--cluster-cidr", type=Network(), default=None, help="Addresses of pods: others are masqueraded.")
@click.option("--dump-rules", is_flag=True, help="Print the iptables rules for what there is now, and touch nothing.")
@logging_options
def proxy(
    kubeconfig: Path,
    context: str,
    hostname_override: str,
    service_cidr: str,
    cluster_cidr: str | None,
    dump_rules: bool,
    log_format: str,
    log_level: str,
    proxy: Any,
) -> None:
    """Forward the Services of a cluster that is served elsewhere, until Ctrl-C."""
    from kcore import standalone
    from kcore.kit import logs
    from kcore.kit.process import CannotStart
    from kcore.proxy import kubeproxy

    logs.configure(log_format, log_level)
    network = {"service_cidr": service_cidr, "cluster_cidr": cluster_cidr or "", "node": hostname_override}
    remote = standalone.Remote(kubeconfig, context, leader_elect=False)
    try:
        if dump_rules:
            click.echo(standalone.ask(remote, lambda client: kubeproxy.dump_rules(proxy, client, **network)), nl=False)
            return
        if proxy.mode(service_cidr) == "none":
            fail(f"nothing to do: --proxy-mode is none, or auto with {service_cidr}, which is not of 127.0.0.0/8")
        component = standalone.Component(
            "kube-proxy",
            lambda around: kubeproxy.kube_proxy(proxy, around.informers, around.clock, **network),
        )
        standalone.run_component(component, remote, lambda: click.echo("kube-proxy works; Ctrl-C stops it."))
    except CannotStart as error:
        fail(str(error))
