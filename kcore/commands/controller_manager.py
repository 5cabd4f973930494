"""`kcore controller-manager`: the controllers for a cluster that is served elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kcore.commands.flags.controllers import controller_options
from kcore.commands.flags.group import ExistingFile
from kcore.commands.options import Network, fail, logging_options, metrics_option, remote_options

if TYPE_CHECKING:
    from kcore.controllers.options import ControllerOptions
    from kcore.kit.service import Service

__all__ = ["controller_manager"]


@click.command()
@remote_options
@controller_options
@click.option(
    "--cluster-cidr",
    type=Network(),
    default=None,
    help="Addresses of pods, a part for each node.  [default: nodes get theirs elsewhere]",
)
@click.option(
    "--root-ca-file", type=ExistingFile, default=None, help="Certificate by which pods are to know the API server."
)
@click.option("--cluster-signing-cert-file", type=ExistingFile, default=None, help="The authority that signs requests.")
@click.option("--cluster-signing-key-file", type=ExistingFile, default=None, help="Its private key.")
@click.option(
    "--service-account-private-key-file",
    type=ExistingFile,
    default=None,
    help="Key that signs the tokens which secrets of service accounts ask for.",
)
@metrics_option
@logging_options
def controller_manager(
    kubeconfig: Path,
    context: str,
    leader_elect: bool,
    controllers: ControllerOptions,
    cluster_cidr: str | None,
    root_ca_file: Path | None,
    cluster_signing_cert_file: Path | None,
    cluster_signing_key_file: Path | None,
    service_account_private_key_file: Path | None,
    metrics_port: int | None,
    log_format: str,
    log_level: str,
) -> None:
    """Run the controllers of a cluster that is served elsewhere, until Ctrl-C.

    That cluster should not run them itself: `kcore serve --controllers ''`.
    """
    from kcore import standalone
    from kcore.client.figures import ControllerMetrics, statistics
    from kcore.controllers.certificates.authority import Authority
    from kcore.controllers.manager import ControllerManager, chosen
    from kcore.kit import logs
    from kcore.kit.door import Door
    from kcore.kit.process import CannotStart
    from kcore.kit.telling import telling
    from kcore.server.service_account_keys import ServiceAccountKeys

    logs.configure(log_format, log_level)
    if (cluster_signing_cert_file is None) is not (cluster_signing_key_file is None):
        fail("--cluster-signing-cert-file and --cluster-signing-key-file need each other")
    authority = None
    if cluster_signing_cert_file is not None and cluster_signing_key_file is not None:
        authority = Authority(cluster_signing_cert_file.read_bytes(), cluster_signing_key_file.read_bytes())
    key = service_account_private_key_file
    try:
        chosen(controllers.controllers)
        told = replace(
            controllers,
            cluster_cidr=cluster_cidr or "",
            root_ca=root_ca_file.read_bytes() if root_ca_file is not None else b"",
            authority=authority,
            token_signer=ServiceAccountKeys(key) if key is not None else None,
        )
    except ValueError as error:
        fail(str(error))

    def services(around: standalone.Surroundings) -> Iterator[Service]:
        made = ControllerManager(around.client, around.informers, around.clock, around.chance, around.events, told)
        if metrics_port is not None:
            documents = {"/debug/controllers": lambda: statistics(made.figures)}
            yield Door("127.0.0.1", metrics_port, telling(lambda: ControllerMetrics(made.figures), documents))
        yield made

    component = standalone.Component("kube-controller-manager", services)
    remote = standalone.Remote(kubeconfig, context, leader_elect)
    try:
        standalone.run_component(component, remote, lambda: click.echo("The controllers work; Ctrl-C stops them."))
    except CannotStart as error:
        fail(str(error))
