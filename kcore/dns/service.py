"""Cluster DNS as it is composed."""

from __future__ import annotations

from collections.abc import Iterable

from kcore.client.informer import Informers
from kcore.dns.options import DnsOptions
from kcore.kit.service import Service

__all__ = ["cluster_dns"]


def cluster_dns(options: DnsOptions, informers: Informers, service_cidr: str) -> Iterable[Service]:
    """The service to run, if any. dnspython is loaded only where there is one."""
    address = options.address(service_cidr)
    if not address:
        return []
    from kcore.dns.directory import InformedDirectory
    from kcore.dns.server import DnsServer

    directory = InformedDirectory(informers)
    return [DnsServer(directory, options.cluster_domain, address, options.dns_port, upstream=options.dns_upstream)]
