"""kube-proxy as it is composed: a proxier over the chosen back end, and the doors where it can be asked."""

from __future__ import annotations

from collections.abc import Iterable

from kcore.api import core_v1
from kcore.api.discovery_v1 import SERVICE_NAME, EndpointSlice
from kcore.client.client import Client
from kcore.client.informer import Informers, key_of
from kcore.kit.clock import Clock
from kcore.kit.service import Service
from kcore.proxy.backend import Backend
from kcore.proxy.doors import Ports, ProxyDoors
from kcore.proxy.iptables.backend import Iptables
from kcore.proxy.iptables.layout import Settings
from kcore.proxy.iptables.table import RuleTable
from kcore.proxy.options import ProxyOptions
from kcore.proxy.proxier import Proxier
from kcore.proxy.rules import Diff, Rule, rules_of_service
from kcore.proxy.serviceport import PortName
from kcore.proxy.topology import Place
from kcore.proxy.userspace.backend import Userspace
from kcore.registry.validation.addresses import family_of

__all__ = ["dump_rules", "kube_proxy"]


def kube_proxy(
    options: ProxyOptions,
    informers: Informers,
    clock: Clock,
    *,
    service_cidr: str,
    cluster_cidr: str,
    node: str = "",
) -> Iterable[Service]:
    """The services to run; none in mode `none`. `node` as for `Proxier`."""
    mode = options.mode(service_cidr)
    if mode == "none":
        return []
    proxier = Proxier(informers, _backend(mode, options, service_cidr, cluster_cidr), clock, node)
    ports = Ports(options.proxy_bind_address, options.proxy_healthz_port, options.proxy_metrics_port)
    return [proxier, ProxyDoors(proxier, mode, ports, clock)]


def _backend(mode: str, options: ProxyOptions, service_cidr: str, cluster_cidr: str) -> Backend:
    if mode == "userspace":
        return Userspace(options.nodeport_addresses)
    families = _families(options, service_cidr, cluster_cidr)
    return Iptables(families, netns=options.iptables_netns, clean_up=options.iptables_cleanup)


async def dump_rules(
    options: ProxyOptions, client: Client, *, service_cidr: str, cluster_cidr: str, node: str = ""
) -> str:
    """The iptables rules for what there is now: input of iptables-restore, and of ip6tables-restore after it."""
    slices: dict[str, list[EndpointSlice]] = {}
    for slice_ in (await client.list(EndpointSlice)).items:
        slices.setdefault(f"{slice_.metadata.namespace}/{slice_.metadata.labels.get(SERVICE_NAME)}", []).append(slice_)
    rules: dict[PortName, Rule] = {}
    for service in (await client.list(core_v1.Service)).items:
        rules.update(rules_of_service(service, slices.get(key_of(service), ()), Place(node)))
    texts = []
    for settings in _families(options, service_cidr, cluster_cidr):
        table = RuleTable(settings)
        table.update(Diff(put=rules))
        texts.append(table.full())
    return "".join(texts)


def _families(options: ProxyOptions, service_cidr: str, cluster_cidr: str) -> list[Settings]:
    pods = {_family(cidr): cidr for cidr in cluster_cidr.split(",") if cidr}
    return [
        Settings(
            family=family,
            cluster_cidr=pods.get(family, ""),
            masquerade_all=options.masquerade_all,
            node_ips=frozenset(options.nodeport_addresses),
        )
        for family in map(_family, service_cidr.split(","))
    ]


def _family(cidr: str) -> str:
    return family_of(cidr.partition("/")[0])
