"""`kcore serve`: a whole cluster in this process."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from kcore.commands.flags.admission import admission_options
from kcore.commands.flags.audit import audit_options
from kcore.commands.flags.authentication import authentication_options
from kcore.commands.flags.controllers import controller_options
from kcore.commands.flags.kubelet import kubelet_options
from kcore.commands.flags.limits import limit_options
from kcore.commands.flags.proxy import dns_options, proxy_options
from kcore.commands.flags.scheduler import scheduler_options
from kcore.commands.options import Names, Network, PortRange, default_kubeconfig, fail, logging_options, state_dir
from kcore.commands.sections import SectionedCommand

__all__ = ["serve"]

BEGAN = time.perf_counter()
SMALL_CLUSTER, SMALL_CLUSTER_NODES = "10.244.0.0/16", 256
LARGE_CLUSTER = "10.128.0.0/9"


@click.command(cls=SectionedCommand)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=None,
    help=f"Where the cluster is kept.  [default: {state_dir()}]",
)
@click.option("--ephemeral", is_flag=True, help="Keep everything in memory; nothing is left when it ends.")
@click.option("--nodes", type=click.IntRange(0, 15000), default=3, show_default=True, help="Nodes to register.")
@click.option("--bind-address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--secure-port",
    type=click.IntRange(0, 65535),
    default=6443,
    show_default=True,
    help="HTTPS port; 0 takes a free one.",
)
@click.option(
    "--insecure-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Plain HTTP port on loopback, every request as admin; 0 is off.",
)
@click.option(
    "--kubelet-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="HTTPS port of the nodes' kubelets; 0 takes a free one.  [default: 10250, or a free one where that is taken]",
)
@click.option(
    "--service-cidr", type=Network(), default="10.96.0.0/16", show_default=True, help="Addresses of Services."
)
@click.option(
    "--cluster-cidr",
    type=Network(),
    default=None,
    help="Addresses of pods, a /24 for each node.  [default: 10.244.0.0/16; 10.128.0.0/9 beyond 256 nodes]",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where to write the admin kubeconfig.  [default: ~/.kube/kcore.yaml]",
)
@click.option(
    "--service-node-port-range",
    type=PortRange(),
    default="30000-32767",
    show_default=True,
    help="Ports that Services get on every node.",
)
@click.option(
    "--pod-loopback-cidr",
    type=Network(),
    default="127.128.0.0/9",
    show_default=True,
    help="Loopback addresses that pods of this machine may have, and endpoints name.",
)
@scheduler_options
@kubelet_options
@controller_options
@proxy_options
@dns_options
@authentication_options
@audit_options
@limit_options
@admission_options
@click.option(
    "--default-storage-class",
    default="standard",
    show_default=True,
    help="The StorageClass that a new cluster with nodes begins with; '' for none.",
)
@click.option(
    "--authorization-mode",
    type=Names(),
    default="Node,RBAC",
    show_default=True,
    help="Who decides who may do what, in turn: Node, RBAC, AlwaysAllow, AlwaysDeny.",
)
@logging_options
def serve(
    data_dir: Path | None,
    ephemeral: bool,
    kubeconfig: Path | None,
    cluster_cidr: str | None,
    log_format: str,
    log_level: str,
    **options: Any,
) -> None:
    """Run a cluster until Ctrl-C."""
    from kcore.cluster import Options
    from kcore.cluster import serve as run_cluster
    from kcore.kit import logs
    from kcore.kit.process import CannotStart

    if ephemeral and data_dir:
        fail("--ephemeral and --data-dir exclude each other")
    logs.configure(log_format, log_level)
    settings = Options(
        data_dir=None if ephemeral else data_dir or state_dir(),
        kubeconfig=kubeconfig or default_kubeconfig(),
        cluster_cidr=cluster_cidr or (SMALL_CLUSTER if options["nodes"] <= SMALL_CLUSTER_NODES else LARGE_CLUSTER),
        **options,
    )
    try:
        run_cluster(settings, on_ready=announce)
    except CannotStart as error:
        fail(str(error))


def announce(cluster: Any) -> None:
    """What to type next."""
    options = cluster.options
    kept = "in memory" if options.data_dir is None else f"in {options.data_dir}"
    lines = [
        f"kcore is ready at {cluster.url} ({time.perf_counter() - BEGAN:.2f} s, {options.nodes} nodes, state {kept})",
        "",
        f"    export KUBECONFIG={options.kubeconfig}",
        "    kubectl get nodes",
        "    kubectl create deployment web --image=nginx --replicas=3",
        "    kubectl get pods --watch",
        "",
        "Ctrl-C stops it.",
    ]
    if options.insecure_port:
        lines.insert(1, f"Plain HTTP, every request as admin: curl localhost:{options.insecure_port}/api/v1/pods")
    click.echo("\n".join(lines))
    sys.stdout.flush()
