"""What rules look like in iptables, in kube-proxy's layout.

A packet comes in through KUBE-SERVICES (cluster, external and balancer IPs) or KUBE-NODEPORTS, goes through
KUBE-FW-X (source ranges) and KUBE-EXT-X (where it came from outside and may need masquerading) to KUBE-SVC-X or
KUBE-SVL-X (all, or only local endpoints), which throws the dice for a KUBE-SEP-Y, which rewrites the destination.
The filter table refuses what has no endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from kcore.proxy.endpoint import Endpoint
from kcore.proxy.iptables.chains import (
    EXTERNAL_SERVICES,
    FIREWALL,
    FORWARD,
    MARK_MASQ,
    NODE_PORTS,
    POSTROUTING,
    PROXY_FIREWALL,
    SERVICES,
    endpoint_chain,
    port_digest,
)
from kcore.proxy.rules import Rule
from kcore.proxy.serviceport import ServicePort

__all__ = ["JUMPS", "Block", "Jump", "Settings", "block_of", "filter_base", "nat_base"]

MARK = "0x4000"


@dataclass(frozen=True, slots=True)
class Settings:
    """`cluster_cidr`: the pods' addresses; what comes from elsewhere is masqueraded. Empty: only what must be.

    `comments` on the rules of endpoints cost a third of the text, so kube-proxy leaves them out of large tables.
    """

    family: str = "IPv4"
    cluster_cidr: str = ""
    masquerade_all: bool = False
    node_ips: frozenset[str] = frozenset()
    localnet_guard: bool = True
    comments: bool = True


@dataclass(slots=True)
class Block:
    """What one service port contributes: lines of the shared chains, and chains of its own (nat table)."""

    services: list[str] = field(default_factory=list)
    node_ports: list[str] = field(default_factory=list)
    filter_services: list[str] = field(default_factory=list)
    filter_external: list[str] = field(default_factory=list)
    filter_node_ports: list[str] = field(default_factory=list)
    filter_firewall: list[str] = field(default_factory=list)
    chains: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule in a chain that is not ours, which leads to one that is."""

    table: str
    source: str
    target: str
    arguments: tuple[str, ...]


def _new(comment: str) -> tuple[str, ...]:
    return ("-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", comment)


def _comment(text: str) -> tuple[str, ...]:
    return ("-m", "comment", "--comment", text)


JUMPS = (
    Jump("filter", "INPUT", EXTERNAL_SERVICES, _new("kubernetes externally-visible service portals")),
    Jump("filter", "FORWARD", EXTERNAL_SERVICES, _new("kubernetes externally-visible service portals")),
    Jump("filter", "INPUT", NODE_PORTS, _comment("kubernetes health check service ports")),
    Jump("filter", "FORWARD", SERVICES, _new("kubernetes service portals")),
    Jump("filter", "OUTPUT", SERVICES, _new("kubernetes service portals")),
    Jump("filter", "FORWARD", FORWARD, _comment("kubernetes forwarding rules")),
    Jump("filter", "INPUT", PROXY_FIREWALL, _new("kubernetes load balancer firewall")),
    Jump("filter", "OUTPUT", PROXY_FIREWALL, _new("kubernetes load balancer firewall")),
    Jump("filter", "FORWARD", PROXY_FIREWALL, _new("kubernetes load balancer firewall")),
    Jump("filter", "INPUT", FIREWALL, ()),
    Jump("filter", "OUTPUT", FIREWALL, ()),
    Jump("nat", "OUTPUT", SERVICES, _comment("kubernetes service portals")),
    Jump("nat", "PREROUTING", SERVICES, _comment("kubernetes service portals")),
    Jump("nat", "POSTROUTING", POSTROUTING, _comment("kubernetes postrouting rules")),
)


def block_of(rule: Rule, settings: Settings) -> Block:
    """Render one rule."""
    return _Writer(rule, settings).write()


class _Writer:
    """One rule on its way into lines."""

    def __init__(self, rule: Rule, settings: Settings) -> None:
        self._port = port = rule.port
        self._ends = rule.endpoints
        self._settings = settings
        self._name = str(rule.name)
        self._proto = rule.name.protocol.lower()
        self._block = Block()
        digest = port_digest(rule.name)
        self._svc, self._svl = f"KUBE-SVC-{digest}", f"KUBE-SVL-{digest}"
        self._ext, self._fw = f"KUBE-EXT-{digest}", f"KUBE-FW-{digest}"
        self._endpoint_chains = {endpoint: endpoint_chain(rule.name, endpoint) for endpoint in rule.endpoints.all}
        self._internal = self._svl if port.internal_local else self._svc
        self._external = self._svl if port.external_local else self._svc
        self._internal_ends = self._ends.local if port.internal_local else self._ends.cluster
        self._external_ends = self._ends.local if port.external_local else self._ends.cluster
        self._walled = bool(self._ends.exist and port.load_balancer_ips and port.source_ranges)

    def write(self) -> Block:
        self._cluster_ip()
        for ip in self._port.external_ips:
            self._outside_ip(ip, "external IP", self._ext)
        for ip in self._port.load_balancer_ips:
            self._outside_ip(ip, "loadbalancer IP", self._fw if self._walled else self._ext)
        if self._port.node_port:
            self._node_port()
        self._health_check()
        self._masquerade_to_cluster_ip()
        self._external_chain()
        self._firewall_chain()
        self._policy_chain(self._svc, self._ends.cluster if self._port.uses_cluster_endpoints else ())
        self._policy_chain(self._svl, self._ends.local if self._port.uses_local_endpoints else ())
        for endpoint in self._endpoint_chains:
            self._endpoint_chain(endpoint)
        return self._block

    def _about(self, what: str) -> str:
        return f'-m comment --comment "{self._name} {what}" -m {self._proto} -p {self._proto}'

    def _to(self, ip: str) -> str:
        return f"-d {ip} --dport {self._port.port}"

    def _refusal(self) -> tuple[str, str]:
        """REJECT tells the client at once; DROP where endpoints exist elsewhere, so that it tries another way."""
        return ("has no local endpoints", "DROP") if self._ends.exist else ("has no endpoints", "REJECT")

    def _cluster_ip(self) -> None:
        to = self._to(self._port.cluster_ip)
        if self._internal_ends:
            self._block.services.append(f"-A {SERVICES} {self._about('cluster IP')} {to} -j {self._internal}")
        else:
            why, target = self._refusal()
            self._block.filter_services.append(f"-A {SERVICES} {self._about(why)} {to} -j {target}")

    def _outside_ip(self, ip: str, what: str, target: str) -> None:
        to = self._to(ip)
        if self._ends.exist:
            self._block.services.append(f"-A {SERVICES} {self._about(what)} {to} -j {target}")
        if self._walled and target == self._fw:
            why = f"traffic not accepted by {self._fw}"
            self._block.filter_firewall.append(f"-A {PROXY_FIREWALL} {self._about(why)} {to} -j DROP")
        if not self._external_ends:
            why, target = self._refusal()
            self._block.filter_external.append(f"-A {EXTERNAL_SERVICES} {self._about(why)} {to} -j {target}")

    def _node_port(self) -> None:
        proto, number = self._proto, self._port.node_port
        if self._ends.exist:
            match = f"-m comment --comment {self._name} -m {proto} -p {proto} --dport {number}"
            self._block.node_ports.append(f"-A {NODE_PORTS} {match} -j {self._ext}")
        if not self._external_ends:
            why, target = self._refusal()
            match = f'-m comment --comment "{self._name} {why}" -m addrtype --dst-type LOCAL'
            match += f" -m {proto} -p {proto} --dport {number}"
            self._block.filter_external.append(f"-A {EXTERNAL_SERVICES} {match} -j {target}")

    def _health_check(self) -> None:
        if number := self._port.health_check_node_port:
            match = f'-m comment --comment "{self._name} health check node port" -m tcp -p tcp --dport {number}'
            self._block.filter_node_ports.append(f"-A {NODE_PORTS} {match} -j ACCEPT")

    def _masquerade_to_cluster_ip(self) -> None:
        """What is sent to the cluster IP by somebody who is no pod needs an answer through us."""
        settings = self._settings
        if not self._internal_ends or not (settings.masquerade_all or settings.cluster_cidr):
            return
        strangers = "" if settings.masquerade_all else f" ! -s {settings.cluster_cidr}"
        match = f"{self._about('cluster IP')} {self._to(self._port.cluster_ip)}{strangers}"
        self._chain(self._internal).append(f"-A {self._internal} {match} -j {MARK_MASQ}")

    def _external_chain(self) -> None:
        if not self._ends.exist or not self._port.externally_accessible:
            return
        ext, rules = self._ext, self._chain(self._ext)
        destinations = f"{self._name} external destinations"
        if not self._port.external_local:
            rules.append(f'-A {ext} -m comment --comment "masquerade traffic for {destinations}" -j {MARK_MASQ}')
        else:
            if cidr := self._settings.cluster_cidr:
                comment = f'-m comment --comment "pod traffic for {destinations}"'
                rules.append(f"-A {ext} {comment} -s {cidr} -j {self._svc}")
            local = "-m addrtype --src-type LOCAL"
            comment = f'-m comment --comment "masquerade LOCAL traffic for {destinations}"'
            rules.append(f"-A {ext} {comment} {local} -j {MARK_MASQ}")
            comment = f'-m comment --comment "route LOCAL traffic for {destinations}"'
            rules.append(f"-A {ext} {comment} {local} -j {self._svc}")
        if self._external_ends:
            rules.append(f"-A {ext} -j {self._external}")

    def _firewall_chain(self) -> None:
        if not self._walled:
            return
        fw, rules, port = self._fw, self._chain(self._fw), self._port
        comment = f'-m comment --comment "{self._name} loadbalancer IP"'
        allowed = [*port.source_ranges]
        if _names_node(port, self._settings):  # packets to the VIP from this very machine have the VIP as their source
            allowed += port.load_balancer_ips
        rules += [f"-A {fw} {comment} -s {source} -j {self._ext}" for source in allowed]
        rules.append(
            f'-A {fw} -m comment --comment "other traffic to {self._name} will be dropped by {PROXY_FIREWALL}"'
        )

    def _policy_chain(self, name: str, endpoints: Sequence[Endpoint]) -> None:
        """Affinity first, then dice so loaded that every endpoint gets the same share."""
        if not endpoints:
            return
        rules = self._chain(name)
        targets = [(endpoint, self._endpoint_chains[endpoint]) for endpoint in endpoints]
        if seconds := self._port.affinity_seconds:
            for endpoint, target in targets:
                recent = f"-m recent --name {target} --rcheck --seconds {seconds} --reap"
                rules.append(f"-A {name} {self._arrow(endpoint)}{recent} -j {target}")
        for left, (endpoint, target) in zip(range(len(targets), 0, -1), targets, strict=True):
            dice = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            rules.append(f"-A {name} {self._arrow(endpoint)}{dice}-j {target}")

    def _arrow(self, endpoint: Endpoint) -> str:
        return f'-m comment --comment "{self._name} -> {endpoint}" ' if self._settings.comments else ""

    def _endpoint_chain(self, endpoint: Endpoint) -> None:
        name = self._endpoint_chains[endpoint]
        comment = f"-m comment --comment {self._name} " if self._settings.comments else ""
        remember = f"-m recent --name {name} --set " if self._port.affinity_seconds else ""
        self._block.chains[name] = [
            f"-A {name} {comment}-s {endpoint.address} -j {MARK_MASQ}",  # it calls itself
            f"-A {name} {comment}{remember}-m {self._proto} -p {self._proto} -j DNAT --to-destination {endpoint}",
        ]

    def _chain(self, name: str) -> list[str]:
        return self._block.chains.setdefault(name, [])


def _names_node(port: ServicePort, settings: Settings) -> bool:
    networks = [ip_network(text, strict=False) for text in port.source_ranges]
    return any(ip_address(ip) in network for ip in settings.node_ips for network in networks)


def nat_base(blocks: Iterable[Block]) -> dict[str, list[str]]:
    """The shared chains of the nat table."""
    services, node_ports = [], []
    for block in blocks:
        services += block.services
        node_ports += block.node_ports
    last = '"kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
    services.append(f"-A {SERVICES} -m comment --comment {last} -m addrtype --dst-type LOCAL -j {NODE_PORTS}")
    return {
        SERVICES: services,
        NODE_PORTS: node_ports,
        POSTROUTING: [
            f"-A {POSTROUTING} -m mark ! --mark {MARK}/{MARK} -j RETURN",
            f"-A {POSTROUTING} -j MARK --xor-mark {MARK}",
            f'-A {POSTROUTING} -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE',
        ],
        MARK_MASQ: [f"-A {MARK_MASQ} -j MARK --or-mark {MARK}"],
    }


def filter_base(blocks: Iterable[Block], settings: Settings) -> dict[str, list[str]]:
    """The chains of the filter table; all of them are shared."""
    chains: dict[str, list[str]] = {
        name: [] for name in (SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, FIREWALL)
    }
    for block in blocks:
        chains[SERVICES] += block.filter_services
        chains[EXTERNAL_SERVICES] += block.filter_external
        chains[NODE_PORTS] += block.filter_node_ports
        chains[PROXY_FIREWALL] += block.filter_firewall
    chains[FORWARD] += _forwarding()
    if settings.localnet_guard and settings.family == "IPv4":
        chains[FIREWALL] += _localnet_guard()
    return chains


def _forwarding() -> Iterator[str]:
    yield f"-A {FORWARD} -m conntrack --ctstate INVALID -j DROP"
    yield f'-A {FORWARD} -m comment --comment "kubernetes forwarding rules" -m mark --mark {MARK}/{MARK} -j ACCEPT'
    comment = '"kubernetes forwarding conntrack rule"'
    yield f"-A {FORWARD} -m comment --comment {comment} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def _localnet_guard() -> Iterator[str]:
    """With `route_localnet` on, for node ports on loopback, neighbours could reach this host's loopback services."""
    comment = '"block incoming localnet connections"'
    match = "-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
    yield f"-A {FIREWALL} -m comment --comment {comment} {match} -j DROP"
