"""How Services are forwarded, and how they are called."""

from __future__ import annotations

import click
from click import Option

from kcore.commands.flags.group import flags, switch
from kcore.commands.options import Names

__all__ = ["dns_options", "proxy_options"]

_Port = click.IntRange(0, 65535)

proxy_options = flags(
    "proxy",
    "kcore.proxy.options:ProxyOptions",
    Option(
        ["--proxy-mode"],
        type=click.Choice(["auto", "userspace", "iptables", "none"]),
        default="auto",
        show_default=True,
        help="What forwards Services: relays of this process, iptables rules, nobody. "
        "auto: relays where the service range is of 127.0.0.0/8, else nobody.",
    ),
    Option(
        ["--nodeport-addresses"],
        type=Names(),
        default="127.0.0.1",
        show_default=True,
        help="Addresses of this machine at which node ports are served.",
    ),
    Option(["--iptables-netns"], default="", help="Network namespace to program instead of this process's own."),
    switch("--iptables-cleanup", default=False, help="Whether to take the rules out again when it ends."),
    switch("--masquerade-all", default=False, help="Whether all traffic to cluster IPs is masqueraded (iptables)."),
    Option(
        ["--proxy-bind-address"],
        default="127.0.0.1",
        show_default=True,
        help="Address of the proxy's own ports, and of health check node ports.",
    ),
    Option(["--proxy-healthz-port"], type=_Port, default=None, help="Port of /healthz and /livez.  [default: none]"),
    Option(
        ["--proxy-metrics-port"],
        type=_Port,
        default=None,
        help="Port of /metrics, /proxyMode and /statistics.  [default: none]",
    ),
)

dns_options = flags(
    "dns",
    "kcore.dns.options:DnsOptions",
    switch(
        "--cluster-dns",
        default=True,
        help="Whether names of Services are served at the tenth service address, where that is of 127.0.0.0/8.",
    ),
    Option(["--cluster-domain"], default="cluster.local", show_default=True, help="Domain of the cluster's names."),
    Option(["--dns-port"], type=_Port, default=53, show_default=True, help="Port of the cluster's DNS server."),
    Option(
        ["--dns-upstream"], default="", help="ADDRESS or ADDRESS#PORT that other names are asked at.  [default: none]"
    ),
    title="DNS",
)
