"""The command line: `python -m kcore`."""

from __future__ import annotations

import gc

import click

from kcore.commands import COMMANDS

__all__ = ["main"]


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="kcore")
def main() -> None:
    """The whole Kubernetes control plane in one Python process.

    Start with `kcore serve`, then talk to it with kubectl as to any cluster.
    """
    # Hardly anything dies while a command starts, and looking for it takes a tenth of that time. What runs for long
    # lets the collector work again (`kit.process`).
    gc.disable()


if __name__ == "__main__":
    main(prog_name="kcore")
