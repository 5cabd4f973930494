"""`kcore kubelet`: one node of a cluster that is served elsewhere."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click

from kcore.commands.flags.kubelet import kubelet_options
from kcore.commands.options import Network, fail, logging_options, state_dir

__all__ = ["kubelet"]


@click.command()
@click.option("--context", default="", help="Context of the kubeconfig to use.")
@click.option(
    "--bootstrap-kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="By which to ask for a certificate where --kubeconfig has no valid one yet; it is then renewed in time.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Kubeconfig of the API server to work for.",
)
@kubelet_options
@click.option("--hostname-override", default="", help="Name of the node.  [default: that of this machine]")
@click.option(
    "--root-dir",
    type=click.Path(path_type=Path),
    default=None,
    help=f"Where volumes and logs of pods are kept.  [default: {state_dir()}/kubelet-NAME]",
)
@click.option(
    "--pod-loopback-cidr",
    type=Network(),
    default="127.128.0.0/9",
    show_default=True,
    help="Addresses of pods, a /24 for the node.",
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Address that the kubelet's API listens on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Its port; 0 takes a free one."
)
@logging_options
def kubelet(
    kubeconfig: Path,
    bootstrap_kubeconfig: Path | None,
    context: str,
    hostname_override: str,
    root_dir: Path | None,
    pod_loopback_cidr: str,
    address: str,
    port: int,
    log_format: str,
    log_level: str,
    kubelet: Any,
) -> None:
    """Be a node of a cluster that is served elsewhere, until Ctrl-C. What runs then runs on, for the next start."""
    from kcore import standalone
    from kcore.kit import logs
    from kcore.kit.process import CannotStart
    from kcore.kubelet import StandAloneKubelet

    logs.configure(log_format, log_level)
    name = (hostname_override or socket.gethostname()).lower()
    root = (root_dir or state_dir() / f"kubelet-{name}").absolute()
    node = StandAloneKubelet(name, kubelet, root, pod_loopback_cidr, address, port, kubeconfig, context)
    # A node's own identity may not read definitions.
    component = standalone.Component(
        "kubelet", node.services, knows_custom_kinds=bool(kubelet.enable_crds), waits_for_caches=False
    )
    remote = standalone.Remote(kubeconfig, context, leader_elect=False)
    try:
        if bootstrap_kubeconfig is not None:
            node.introduce(bootstrap_kubeconfig)
        elif not kubeconfig.exists():
            fail(f"there is no {kubeconfig}")
        standalone.run_component(component, remote, lambda: click.echo(f"Node {name} works; Ctrl-C stops it."))
    except CannotStart as error:
        fail(str(error))
