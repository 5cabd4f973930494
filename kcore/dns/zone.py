"""What a question about the cluster's zone is answered, without a packet in sight.

Names, with `cluster.local` as the zone:

    SERVICE.NAMESPACE.svc                     A, AAAA   its cluster IPs; of a headless one all ready endpoints
                                              CNAME     of an ExternalName
    _PORT._PROTOCOL.SERVICE.NAMESPACE.svc     SRV       the port, at the Service; of a headless one at every endpoint
    ENDPOINT.SERVICE.NAMESPACE.svc            A, AAAA   one endpoint of a headless one, by hostname or dashed address
    10-1-2-3.NAMESPACE.pod                    A, AAAA   the address that the name spells
    4.3.2.1.in-addr.arpa, ....ip6.arpa        PTR       the Service, or the endpoint with a hostname, at that address
    dns-version                               TXT       of the specification
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from kcore.api.core_v1 import Service
from kcore.dns.directory import Directory, NamedEndpoint

__all__ = ["Answer", "Outcome", "Record", "Zone"]

SPECIFICATION = "1.1.0"
ADDRESS_TYPES = {"A": 4, "AAAA": 6}


class Outcome(Enum):
    """`EMPTY`: the name is known, but not for this type. `FOREIGN`: not ours to say."""

    FOUND = "found"
    EMPTY = "empty"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"


class Record(NamedTuple):
    """`data` as a zone file spells it; names end with a dot."""

    name: str
    type: str
    data: str


class Answer(NamedTuple):
    """`extra`: the addresses of what SRV records point at."""

    outcome: Outcome
    records: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()


EMPTY, UNKNOWN, FOREIGN = Answer(Outcome.EMPTY), Answer(Outcome.UNKNOWN), Answer(Outcome.FOREIGN)


class Zone:
    """`domain` without a dot at the end."""

    def __init__(self, domain: str, directory: Directory) -> None:
        self.domain = domain.lower().strip(".")
        self._directory = directory

    def answer(self, name: str, type_: str) -> Answer:
        """`name` without the dot at the end, in any case; `type_` as in `AAAA`."""
        name = name.lower()
        if name.endswith((".in-addr.arpa", ".ip6.arpa")):
            return self._reverse(name, type_)
        if name == self.domain:
            return EMPTY
        if not name.endswith(f".{self.domain}"):
            return FOREIGN
        match name.removesuffix(f".{self.domain}").split("."):
            case ["dns-version"]:
                return _found([Record(f"{name}.", "TXT", f'"{SPECIFICATION}"')] if type_ == "TXT" else [])
            case ["svc"] | ["pod"]:
                return EMPTY
            case [namespace, "svc" | "pod"]:
                return EMPTY if self._directory.has_namespace(namespace) else UNKNOWN
            case [dashed, namespace, "pod"]:
                return self._pod(name, dashed, namespace, type_)
            case [*rest, service, namespace, "svc"]:
                found = self._directory.service(namespace, service)
                return self._service(name, rest, found, type_) if found is not None else UNKNOWN
        return UNKNOWN

    def _pod(self, name: str, dashed: str, namespace: str, type_: str) -> Answer:
        address = _undashed(dashed)
        if address is None or not self._directory.has_namespace(namespace):
            return UNKNOWN
        return _found(_addresses(name, [str(address)], type_))

    def _service(self, name: str, rest: Sequence[str], service: Service, type_: str) -> Answer:
        spec = service.spec
        if spec.type == "ExternalName":
            return _found([Record(f"{name}.", "CNAME", f"{spec.external_name.rstrip('.')}.")]) if not rest else UNKNOWN
        match rest:
            case []:
                return _found(_addresses(name, self._service_addresses(service), type_))
            case [port, protocol] if port.startswith("_") and protocol.startswith("_"):
                return self._port(name, service, port[1:], protocol[1:], type_)
            case [endpoint] if spec.cluster_ip == "None":
                return self._endpoint(name, service, endpoint, type_)
        return UNKNOWN

    def _service_addresses(self, service: Service) -> Iterable[str]:
        if service.spec.cluster_ip != "None":
            return service.spec.cluster_ips or (service.spec.cluster_ip,)
        return (endpoint.address for endpoint in self._endpoints(service))

    def _endpoint(self, name: str, service: Service, endpoint: str, type_: str) -> Answer:
        addresses = [e.address for e in self._endpoints(service) if e.name == endpoint]
        return _found(_addresses(name, addresses, type_)) if addresses else UNKNOWN

    def _port(self, name: str, service: Service, port: str, protocol: str, type_: str) -> Answer:
        """Priority 0, and a weight that shares evenly."""
        targets = list(self._targets(service, port, protocol))
        if not targets:
            return UNKNOWN
        if type_ != "SRV":
            return EMPTY
        weight = max(1, 100 // len(targets))
        records = [Record(f"{name}.", "SRV", f"0 {weight} {number} {target}.") for target, number, _ in targets]
        extra = [
            Record(f"{target}.", "A" if ip_address(address).version == 4 else "AAAA", address)
            for target, _, addresses in targets
            for address in addresses
        ]
        return Answer(Outcome.FOUND, tuple(records), tuple(dict.fromkeys(extra)))

    def _targets(self, service: Service, port: str, protocol: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        """Who serves a named port: name, number, addresses."""
        own = self._name(service)
        if service.spec.cluster_ip != "None":
            for candidate in service.spec.ports:
                if candidate.name == port and (candidate.protocol or "TCP").lower() == protocol:
                    yield own, candidate.port, tuple(self._service_addresses(service))
            return
        for endpoint in self._endpoints(service):
            for name, spoken, number in endpoint.ports:
                if (name, spoken) == (port, protocol):
                    yield f"{endpoint.name}.{own}", number, (endpoint.address,)

    def _endpoints(self, service: Service) -> Iterable[NamedEndpoint]:
        return self._directory.endpoints(service.metadata.namespace, service.metadata.name)

    def _name(self, service: Service) -> str:
        return f"{service.metadata.name}.{service.metadata.namespace}.svc.{self.domain}"

    def _reverse(self, name: str, type_: str) -> Answer:
        """Addresses that are nobody's are not ours to say: others may know them."""
        address = _of_reverse(name)
        if address is None:
            return FOREIGN
        names = [self._name(service) for service in self._directory.services_at(str(address))]
        if not names and (found := self._directory.endpoint_at(str(address))):
            service, endpoint = found
            names = [f"{endpoint.name}.{self._name(service)}"]
        if not names:
            return FOREIGN
        return _found([Record(f"{name}.", "PTR", f"{target}.") for target in names] if type_ == "PTR" else [])


def _found(records: Iterable[Record]) -> Answer:
    listed = tuple(records)
    return Answer(Outcome.FOUND, listed) if listed else EMPTY


def _addresses(name: str, addresses: Iterable[str], type_: str) -> list[Record]:
    wanted = ADDRESS_TYPES.get(type_)
    return [Record(f"{name}.", type_, text) for text in addresses if text and ip_address(text).version == wanted]


def _undashed(text: str) -> IPv4Address | IPv6Address | None:
    for separator in (".", ":"):
        try:
            return ip_address(text.replace("-", separator))
        except ValueError:
            continue
    return None


def _of_reverse(name: str) -> IPv4Address | IPv6Address | None:
    labels = name.split(".")[:-2][::-1]
    try:
        if name.endswith(".in-addr.arpa"):
            return ip_address(".".join(labels)) if len(labels) == 4 else None
        digits = "".join(labels)
        return IPv6Address(int(digits, 16)) if len(labels) == len(digits) == 32 else None
    except ValueError:
        return None
