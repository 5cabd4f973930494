"""The resolver's configuration in a pod: whom to ask for names, and what to append to short ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcore.api.core_v1 import Pod, PodDNSConfig

__all__ = ["ClusterDns", "resolver_file"]


class ClusterDns(NamedTuple):
    """Where the cluster's DNS server is (empty: there is none), and the domain that it knows."""

    address: str = ""
    domain: str = "cluster.local"


class Resolver(NamedTuple):
    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


def resolver_file(pod: Pod, cluster: ClusterDns, machines_own: str) -> str | None:
    """What /etc/resolv.conf should hold; None: what it holds on the machine."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    own = _read(machines_own)
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or not cluster.address:
        if pod.spec.dns_config is None:
            return None
        base = own
    else:
        domains = (f"{pod.metadata.namespace}.svc.{cluster.domain}", f"svc.{cluster.domain}", cluster.domain)
        # The cluster's server refuses names that are not its own, which has resolvers ask the machine's servers.
        base = Resolver((cluster.address, *own.servers), (*domains, *own.searches), ("ndots:5",))
    return _written(_with(base, pod.spec.dns_config))


def _read(text: str) -> Resolver:
    words = [line.split() for line in text.splitlines() if line.strip() and line[0] not in "#;"]
    return Resolver(
        [line[1] for line in words if line[0] == "nameserver" and len(line) > 1],
        [word for line in words if line[0] == "search" for word in line[1:]],
        [word for line in words if line[0] == "options" for word in line[1:]],
    )


def _with(base: Resolver, config: PodDNSConfig | None) -> Resolver:
    if config is None:
        return base
    given = {option.name: option.value for option in config.options}
    kept = [word for word in base.options if word.partition(":")[0] not in given]
    return Resolver(
        list(dict.fromkeys((*base.servers, *config.nameservers))),
        list(dict.fromkeys((*base.searches, *config.searches))),
        [*kept, *(f"{name}:{value}" if value is not None else name for name, value in given.items())],
    )


def _written(resolver: Resolver) -> str:
    lines = [f"nameserver {server}" for server in resolver.servers]
    if resolver.searches:
        lines.append(f"search {' '.join(resolver.searches)}")
    if resolver.options:
        lines.append(f"options {' '.join(resolver.options)}")
    return "".join(f"{line}\n" for line in lines)
