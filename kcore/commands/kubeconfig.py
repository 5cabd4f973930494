"""`kcore kubeconfig`: the admin kubeconfig of the cluster again."""

from __future__ import annotations

from pathlib import Path

import click

from kcore.commands.options import default_kubeconfig, fail

__all__ = ["kubeconfig"]


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="The file that `serve` wrote.  [default: ~/.kube/kcore.yaml]",
)
@click.option("--path", "path_only", is_flag=True, help="Print where it is instead of what it says.")
def kubeconfig(kubeconfig: Path | None, path_only: bool) -> None:
    """Print the admin kubeconfig of the cluster."""
    path = kubeconfig or default_kubeconfig()
    if not path.is_file():
        fail(f"{path} is not there: `kcore serve` writes it")
    click.echo(str(path) if path_only else path.read_text(), nl=path_only)
