"""What controllers do and how fast: those of upstream's controller manager, by their names."""

from __future__ import annotations

import click
from click import Option

from kcore.commands.flags.group import Seconds, flags
from kcore.commands.options import Names, Network

__all__ = ["controller_options"]

_Rate = click.FloatRange(0)

controller_options = flags(
    "controllers",
    "kcore.controllers.options:ControllerOptions",
    Option(
        ["--controllers"],
        type=Names(),
        default="*",
        show_default=True,
        help="Which ones run: '*' for all, 'job' for that one, '-job' for all but that one.",
    ),
    Option(
        ["--load-balancer-cidr"],
        type=Network(),
        default=None,
        help="Addresses of Services of type LoadBalancer.  [default where kcore runs nodes: 172.19.0.0/24, or "
        "127.19.0.0/24 where the service range is of 127.0.0.0/8; else none]",
    ),
    Option(
        ["--cloud-nodes"],
        is_flag=True,
        help="Play the cloud whose machines the nodes are: initialize those that registered with --cloud-provider "
        "external, delete those whose machine is gone (annotation kcore.dev/instance: gone).",
    ),
    Option(
        ["--node-cidr-mask-size"],
        type=click.IntRange(1, 32),
        default=24,
        show_default=True,
        help="How long the prefix of a node's pod addresses is.",
    ),
    Option(
        ["--node-cidr-mask-size-ipv6"],
        type=click.IntRange(1, 128),
        default=64,
        show_default=True,
        help="The same for IPv6.",
    ),
    Option(
        ["--node-monitor-grace-period"],
        type=Seconds(),
        default="50s",
        show_default=True,
        help="How long a node may be silent before it is unknown.",
    ),
    Option(
        ["--node-eviction-rate"],
        type=_Rate,
        default=0.1,
        show_default=True,
        help="Nodes of a zone a second whose pods are evicted.",
    ),
    Option(
        ["--secondary-node-eviction-rate"],
        type=_Rate,
        default=0.01,
        show_default=True,
        help="The same in a large zone that is unhealthy.",
    ),
    Option(
        ["--unhealthy-zone-threshold"],
        type=click.FloatRange(0, 1),
        default=0.55,
        show_default=True,
        help="The part of a zone's nodes from which on it is unhealthy.",
    ),
    Option(
        ["--large-cluster-size-threshold"],
        type=click.IntRange(0),
        default=50,
        show_default=True,
        help="Unhealthy zones up to this size evict nothing.",
    ),
    Option(
        ["--terminated-pod-gc-threshold"],
        type=click.IntRange(0),
        default=12_500,
        show_default=True,
        help="How many finished pods may stay.",
    ),
)
