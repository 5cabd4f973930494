"""Which cluster IPs and node ports a Service gets, keeps and gives up as it comes, changes its type, and goes.

The steps are upstream's (`registry/core/service/storage`): complete what the client left out from what the service
had, infer the IP families, take addresses and ports. What was taken is given back when the object is not stored after
all; what is no longer used is given back once the change is stored. Between the two, nobody else can get either.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_network
from typing import NamedTuple

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.errors import ApiError, InternalError, Invalid
from kcore.api.field import FieldError, Path, invalid
from kcore.api.schema import fill
from kcore.registry.service_pools import AddressPool, AddressPools, AllocationError, PortPool
from kcore.registry.validation.addresses import family_of, parse_ip
from kcore.registry.validation.services import needs_health_check, validate_cluster_ips

__all__ = ["ServiceAllocator", "Transaction"]

_SPEC = Path("spec")
_POLICY = _SPEC / "ipFamilyPolicy"
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def _needs_ip(spec: ServiceSpec) -> bool:
    return spec.type != "ExternalName"


def _needs_node_ports(spec: ServiceSpec) -> bool:
    return spec.type in ("NodePort", "LoadBalancer")


def _gets_node_ports(spec: ServiceSpec) -> bool:
    """Whether ports that name no node port get one."""
    return spec.type == "NodePort" or (spec.type == "LoadBalancer" and bool(spec.allocate_load_balancer_node_ports))


def _node_ports(spec: ServiceSpec) -> list[int]:
    return [port.node_port for port in spec.ports if port.node_port]


class Transaction:
    """What one create or update has taken, and what it will give up; ends once, by being called."""

    def __init__(self, allocator: ServiceAllocator) -> None:
        self._allocator = allocator
        self.taken: list[str | int] = []
        self.given_up: list[str | int] = []

    def __call__(self, stored: bool) -> None:
        self._allocator.give_back(self.given_up if stored else self.taken)
        self.taken = self.given_up = []


class _Change(NamedTuple):
    """One create or update on its way: the fresh service, what it was, and what it has taken so far."""

    service: Service
    old: ServiceSpec | None
    transaction: Transaction

    @property
    def spec(self) -> ServiceSpec:
        return self.service.spec

    def refuse(self, *errors: FieldError) -> ApiError:
        return Invalid.named("", "Service", self.service.metadata.name, errors)


class ServiceAllocator:
    """The pools of a cluster. `cidrs`: one range, or two of different families; the first is the default family.

    Further ranges come and go with ServiceCIDRs (`offer`); those given at first stay.
    """

    def __init__(self, cidrs: Iterable[str], node_ports: tuple[int, int], dice: random.Random) -> None:
        self._dice = dice
        self._addresses: dict[str, AddressPools] = {}
        for cidr in cidrs:
            pool = AddressPool(cidr, dice)
            self._addresses.setdefault(pool.family, AddressPools()).add(pool)
        self._default_family = next(iter(self._addresses))
        self._ports = PortPool(*node_ports, dice)

    def offer(self, cidrs: Iterable[str], services: Callable[[], Iterable[Service]]) -> None:
        """Allocate from these ranges, too, in families that the cluster has. What `services` hold there is theirs."""
        wanted = {str(ip_network(cidr)): cidr for cidr in cidrs}
        fresh = [
            AddressPool(cidr, self._dice) for cidr in wanted if not any(cidr in p for p in self._addresses.values())
        ]
        for pools in self._addresses.values():
            pools.keep(wanted)
        for pool in fresh:
            if pool.family in self._addresses:
                _occupy(pool, services())
                self._addresses[pool.family].add(pool)

    def adopt(self, services: Iterable[Service]) -> None:
        """Take what stored services have: how the pools are rebuilt at start. Whoever comes second is left as he is."""
        for service in services:
            for value in self._held(service.spec):
                try:
                    self._take(value)
                except AllocationError:
                    continue

    def begin(self, service: Service, old: Service | None) -> Transaction:
        """Complete a fresh service. Raises Invalid; then nothing has been taken."""
        transaction = Transaction(self)
        change = _Change(service, old.spec if old is not None else None, transaction)
        try:
            if change.old is not None:
                _keep_allocated(service.spec, change.old)
            _sync_cluster_ips(service.spec, change.old)
            self._allocate(change)
        except BaseException:
            transaction(False)
            raise
        return transaction

    def release(self, service: Service) -> None:
        """A service is gone."""
        self.give_back(self._held(service.spec))

    def give_back(self, values: Iterable[str | int]) -> None:
        for value in values:
            if isinstance(value, int):
                self._ports.give_back(value)
            else:
                pool, address = self._addresses.get(family_of(value)), parse_ip(value)
                if pool is not None and address is not None:
                    pool.give_back(address)

    def _take(self, value: str | int) -> None:
        if isinstance(value, int):
            self._ports.take(value)
            return
        pool, address = self._addresses.get(family_of(value)), parse_ip(value)
        if pool is not None and address is not None:
            pool.take(address)

    def _held(self, spec: ServiceSpec) -> list[str | int]:
        held: list[str | int] = [ip for ip in spec.cluster_ips if ip and ip != "None"] if _needs_ip(spec) else []
        if _needs_node_ports(spec):
            held += dict.fromkeys(_node_ports(spec))
        if spec.health_check_node_port:
            held.append(spec.health_check_node_port)
        return held

    def _allocate(self, change: _Change) -> None:
        if _needs_ip(change.spec) and not _stays_dual_if_possible(change):
            self._settle_families(change)
            self._settle_addresses(change)
        elif not _needs_ip(change.spec) and change.old is not None and _needs_ip(change.old):
            change.transaction.given_up += [ip for ip in change.old.cluster_ips if ip != "None"]
        self._settle_node_ports(change)
        self._settle_health_check(change)

    # Families

    def _settle_families(self, change: _Change) -> None:
        spec, old = change.spec, change.old
        if spec.ip_family_policy is None:
            fill(spec, ip_family_policy=_inferred_policy(spec, old))
        errors = list(validate_cluster_ips(spec))
        if errors:
            raise change.refuse(*errors)
        if old is not None:
            errors += _shrink(spec, old)
        errors += _policy_errors(spec)
        errors += self._infer_families(spec)
        if errors:
            raise change.refuse(*errors)
        single = spec.ip_family_policy == "SingleStack"
        if spec.cluster_ip == "None" and not spec.selector:
            # Nobody's addresses are asked for: any families will do, configured or not.
            families = spec.ip_families or (self._default_family,)
            fill(spec, ip_families=families if single else _both(families))
            return
        errors = self._unconfigured(spec)
        if errors:
            raise change.refuse(*errors)
        families = spec.ip_families or (self._default_family,)
        fill(spec, ip_families=families if single or len(self._addresses) < 2 else _both(families))

    def _infer_families(self, spec: ServiceSpec) -> list[FieldError]:
        """Families of the IPs that the client chose."""
        errors = []
        families = list(spec.ip_families)
        for i, ip in enumerate(spec.cluster_ips):
            if ip == "None":
                break
            if i < len(families):
                continue
            family = family_of(ip)
            if family in self._addresses:
                families.append(family)
            else:
                path = _SPEC / "clusterIPs" @ i
                errors.append(invalid(path, spec.cluster_ips, f"{family} is not configured on this cluster"))
        fill(spec, ip_families=tuple(families))
        return errors

    def _unconfigured(self, spec: ServiceSpec) -> list[FieldError]:
        errors = []
        if spec.ip_family_policy == "RequireDualStack" and len(self._addresses) < 2:
            message = "this cluster is not configured for dual-stack services"
            errors.append(invalid(_POLICY, spec.ip_family_policy, message))
        errors += [
            invalid(_SPEC / "ipFamilies" @ i, family, "not configured on this cluster")
            for i, family in enumerate(spec.ip_families)
            if family not in self._addresses
        ]
        return errors

    # Addresses

    def _settle_addresses(self, change: _Change) -> None:
        spec, old = change.spec, change.old
        if old is None or not _needs_ip(old):
            self._take_addresses(change, first=0)
        elif "None" in old.cluster_ips[:1]:
            return
        elif len(old.ip_families) == 1 and len(spec.ip_families) == 2:
            self._take_addresses(change, first=1)
        elif len(old.ip_families) == 2 and len(spec.ip_families) == 1:
            change.transaction.given_up += old.cluster_ips[1:]

    def _take_addresses(self, change: _Change, first: int) -> None:
        """An address of each family from the `first` on: the one that was asked for, or any."""
        spec = change.spec
        if "None" in spec.cluster_ips[:1]:
            return
        ips = list(spec.cluster_ips)
        for i, family in enumerate(spec.ip_families):
            if i < first:
                continue
            wanted = ips[i] if i < len(ips) else ""
            ip = self._take_address(change, family, wanted)
            ips[i : i + 1] = [ip]
            change.transaction.taken.append(ip)
        fill(spec, cluster_ips=tuple(ips), cluster_ip=ips[0] if ips else "")

    def _take_address(self, change: _Change, family: str, wanted: str) -> str:
        pool = self._addresses[family]
        if not wanted:
            try:
                return pool.take_any()
            except AllocationError as e:
                raise InternalError.because(f"failed to allocate a serviceIP: {e}") from None
        address = parse_ip(wanted)
        assert address is not None, "checked by validate_cluster_ips"
        try:
            pool.take(address)
        except AllocationError as e:
            ips = change.spec.cluster_ips
            error = invalid(_SPEC / "clusterIPs", ips, f"failed to allocate IP {wanted}: {e}")
            raise change.refuse(error) from None
        return wanted

    # Node ports

    def _settle_node_ports(self, change: _Change) -> None:
        spec, old = change.spec, change.old
        before = _node_ports(old) if old is not None and _needs_node_ports(old) else []
        if not _needs_node_ports(spec):
            change.transaction.given_up += dict.fromkeys(before)
            return
        if old is None:
            self._take_new_node_ports(change)
            return
        self._update_node_ports(change, before)
        after = set(_node_ports(spec))
        change.transaction.given_up += [port for port in dict.fromkeys(before) if port not in after]

    def _take_new_node_ports(self, change: _Change) -> None:
        """Ports of equal number (TCP and UDP) share one node port."""
        spec = change.spec
        shared: dict[int, int] = {}
        for i, port in enumerate(spec.ports):
            if not port.node_port and not _gets_node_ports(spec):
                continue
            known = shared.get(port.port)
            if known is None:
                wanted = _requested(port.port, spec.ports)
                shared[port.port] = known = self._take_node_port(change, i, wanted)
                fill(port, node_port=known)
            elif not port.node_port:
                fill(port, node_port=known)
            elif port.node_port != known:
                self._take_node_port(change, i, port.node_port)

    def _update_node_ports(self, change: _Change, before: list[int]) -> None:
        spec = change.spec
        fresh: set[int] = set()
        seen: set[tuple[str, int]] = set()
        for i, port in enumerate(spec.ports):
            if port.node_port:
                if port.node_port not in before and port.node_port not in fresh:
                    self._take_node_port(change, i, port.node_port)
                    fresh.add(port.node_port)
            elif _gets_node_ports(spec):
                fill(port, node_port=self._take_node_port(change, i, 0))
            else:
                continue
            if (port.protocol, port.node_port) in seen:
                raise InternalError(f"duplicate nodePort: {{{port.protocol} {port.node_port}}}")
            seen.add((port.protocol, port.node_port))

    def _take_node_port(self, change: _Change, index: int, wanted: int) -> int:
        try:
            if wanted:
                self._ports.take(wanted)
            else:
                wanted = self._ports.take_any()
        except AllocationError as e:
            if not wanted:
                raise InternalError.because(f"failed to allocate a nodePort: {e}") from None
            raise change.refuse(invalid(_SPEC / "ports" @ index / "nodePort", wanted, str(e))) from None
        change.transaction.taken.append(wanted)
        return wanted

    def _settle_health_check(self, change: _Change) -> None:
        spec, old = change.spec, change.old
        needs = needs_health_check(spec)
        needed = old is not None and needs_health_check(old)
        port = spec.health_check_node_port
        if needs and not needed:
            self._take_health_check(change, port)
        elif needed and old is not None and not needs:
            change.transaction.given_up.append(old.health_check_node_port)
        elif needed and old is not None and port != old.health_check_node_port:
            raise change.refuse(invalid(_SPEC / "healthCheckNodePort", port, "field is immutable"))

    def _take_health_check(self, change: _Change, wanted: int) -> None:
        try:
            if wanted:
                self._ports.take(wanted)
            else:
                wanted = self._ports.take_any()
        except AllocationError as e:
            asked = f"requested HealthCheck NodePort {wanted}" if wanted else "a HealthCheck NodePort 0"
            raise InternalError.because(f"failed to allocate {asked}: {e}") from None
        change.transaction.taken.append(wanted)
        fill(change.spec, health_check_node_port=wanted)


def _occupy(pool: AddressPool, services: Iterable[Service]) -> None:
    """Mark what services hold in a range that is new."""
    for service in services:
        for text in service.spec.cluster_ips:
            address = parse_ip(text)
            if address is not None and address in pool.network:
                with suppress(AllocationError):
                    pool.take(address)


def _keep_allocated(spec: ServiceSpec, old: ServiceSpec) -> None:
    """Whoever resubmits what he created, without what was allocated since, means to keep it."""
    if _needs_ip(spec) and _needs_ip(old):
        fill(spec, cluster_ip=spec.cluster_ip or old.cluster_ip, cluster_ips=spec.cluster_ips or old.cluster_ips)
    if _needs_node_ports(spec) and _needs_node_ports(old):
        used = {*_node_ports(old)} & {*_node_ports(spec)}
        by_name = {port.name: port.node_port for port in old.ports}
        for port in spec.ports:
            known = by_name.get(port.name, 0)
            if not port.node_port and known not in used:
                fill(port, node_port=known)
    if needs_health_check(spec) and needs_health_check(old) and not spec.health_check_node_port:
        fill(spec, health_check_node_port=old.health_check_node_port)


def _sync_cluster_ips(spec: ServiceSpec, old: ServiceSpec | None) -> None:
    """Clients that know only `clusterIP` have `clusterIPs` follow it."""
    if old is None:
        if spec.cluster_ip and not spec.cluster_ips:
            fill(spec, cluster_ips=(spec.cluster_ip,))
    elif spec.cluster_ip != old.cluster_ip and spec.cluster_ips == old.cluster_ips:
        cleared = old.cluster_ip and not spec.cluster_ip
        fill(spec, cluster_ips=() if cleared else (spec.cluster_ip,))


def _stays_dual_if_possible(change: _Change) -> bool:
    """PreferDualStack services do not follow a cluster that gains or loses a family, unless their fields change."""
    spec, old = change.spec, change.old
    return (
        old is not None
        and _needs_ip(old)
        and spec.ip_family_policy == old.ip_family_policy == "PreferDualStack"
        and spec.cluster_ips == old.cluster_ips
        and spec.ip_families == old.ip_families
    )


def _inferred_policy(spec: ServiceSpec, old: ServiceSpec | None) -> str:
    if old is not None and old.ip_family_policy is not None:
        return old.ip_family_policy
    return "RequireDualStack" if spec.cluster_ip == "None" and not spec.selector else "SingleStack"


def _shrink(spec: ServiceSpec, old: ServiceSpec) -> list[FieldError]:
    """Going from two families to one: setting the policy is enough; otherwise it must be set."""
    if spec.ip_family_policy == "SingleStack":
        if spec.cluster_ips == old.cluster_ips:
            fill(spec, cluster_ips=spec.cluster_ips[:1])
        if spec.ip_families == old.ip_families:
            fill(spec, ip_families=spec.ip_families[:1])
        return []
    errors = []
    if 0 < len(spec.cluster_ips) < len(old.cluster_ips):
        message = "must be 'SingleStack' to release the secondary cluster IP"
        errors.append(invalid(_POLICY, spec.ip_family_policy, message))
    if 0 < len(spec.ip_families) < len(old.ip_families):
        message = "must be 'SingleStack' to release the secondary IP family"
        errors.append(invalid(_POLICY, spec.ip_family_policy, message))
    return errors


def _policy_errors(spec: ServiceSpec) -> list[FieldError]:
    if spec.ip_family_policy != "SingleStack":
        return []
    must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
    errors = []
    if len(spec.cluster_ips) == 2:
        errors.append(invalid(_POLICY, spec.ip_family_policy, f"{must} cluster IPs are specified"))
    if len(spec.ip_families) == 2:
        errors.append(invalid(_POLICY, spec.ip_family_policy, f"{must} IP families are specified"))
    return errors


def _both(families: tuple[str, ...]) -> tuple[str, ...]:
    return families if len(families) > 1 else (families[0], _OTHER[families[0]])


def _requested(number: int, ports: Iterable[ServicePort]) -> int:
    """The node port that any port of this number names; 0: none does."""
    return next((port.node_port for port in ports if port.port == number and port.node_port), 0)
