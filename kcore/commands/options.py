"""What several subcommands share: kinds of values, default places, the common options, and how to refuse."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

__all__ = [
    "Names",
    "Network",
    "PortRange",
    "default_kubeconfig",
    "fail",
    "kubeconfig_options",
    "logging_options",
    "metrics_option",
    "remote_options",
    "state_dir",
]

EXIT_USAGE = 2

F = TypeVar("F", bound=Callable[..., Any])


def state_dir() -> Path:
    """Where a cluster lives unless told otherwise (XDG base directory specification)."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base, "kcore").expanduser()


def default_kubeconfig() -> Path:
    return Path("~/.kube/kcore.yaml").expanduser()


class Network(click.ParamType[Any]):
    """One CIDR, or an IPv4 and an IPv6 one with a comma between."""

    name = "cidr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for part in str(value).split(","):
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                self.fail(f"{part!r} is no CIDR such as 10.96.0.0/16: {error}", param, ctx)
        return str(value)


class Names(click.ParamType[Any]):
    """Names with commas between."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(name for part in str(value).split(",") if (name := part.strip()))


class PortRange(click.ParamType[Any]):
    """`FIRST-LAST`, both included."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        first, _, last = str(value).partition("-")
        if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < 65536):
            self.fail(f"{value!r} is no range of ports such as 30000-32767", param, ctx)
        return int(first), int(last)


def fail(message: str) -> NoReturn:
    """One clear line, and the exit code of a wrong invocation."""
    click.echo(f"kcore: {message}", err=True)
    sys.exit(EXIT_USAGE)


def logging_options(command: F) -> F:
    """How a long-running command writes its log."""
    command = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="warning",
        show_default=True,
        help="Which log lines are written.",
    )(command)
    return click.option(
        "--log-format",
        type=click.Choice(["console", "json"]),
        default="console",
        show_default=True,
        help="How log lines look.",
    )(command)


def kubeconfig_options(command: F) -> F:
    """Where a component that runs as its own process finds its API server."""
    command = click.option("--context", default="", help="Context of the kubeconfig to use.")(command)
    return click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        help="Kubeconfig of the API server to work for.",
    )(command)


def metrics_option(command: F) -> F:
    """Where a component in a process of its own tells how it is doing."""
    return click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        default=None,
        help="Port of /metrics and /healthz on 127.0.0.1, while it works.  [default: none]",
    )(command)


def remote_options(command: F) -> F:
    """The same, and whether it waits for its turn."""
    command = click.option(
        "--leader-elect/--no-leader-elect",
        default=True,
        show_default=True,
        help="Work only while holding the component's Lease in kube-system.",
    )(command)
    return kubeconfig_options(command)
