"""IP addresses and ranges of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import BOOL, INT, STRING, Type, opaque

__all__ = ["ADDRESSES", "CIDR", "IP"]

IP, CIDR = opaque("net.IP"), opaque("net.CIDR")

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class _Ip:
    """Its length is its bytes', which is what costs go by."""

    cel_type: ClassVar[Type] = IP
    address: _Address

    def __len__(self) -> int:
        return len(self.address.packed)


@dataclass(frozen=True, slots=True)
class _Cidr:
    cel_type: ClassVar[Type] = CIDR
    address: _Address
    bits: int

    def __len__(self) -> int:
        return (self.bits + 7) // 8

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network((self.address, self.bits), strict=False)


def _parse_ip(text: str) -> _Ip:
    return _Ip(_address(text, "IP Address"))


def _address(text: str, what: str) -> _Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        why = f'{what} "{text}" parse error during conversion from string: ParseAddr("{text}"): unable to parse IP'
        raise EvaluationError(why) from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise EvaluationError(f'{what} "{text}" with zone value is not allowed')
        if address.ipv4_mapped is not None:
            raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return address


def _parse_cidr(text: str) -> _Cidr:
    start, slash, length = text.partition("/")
    address = _address(start, "network address") if slash else None
    plain = length.isascii() and length.isdigit() and (length == "0" or not length.startswith("0"))
    if address is None or not plain or len(length) > 3 or int(length) > address.max_prefixlen:
        why = f'network address parse error during conversion from string: netip.ParsePrefix("{text}")'
        raise EvaluationError(f"{why}: {'bad bits after slash' if slash else 'no /'}")
    return _Cidr(address, int(length))


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except EvaluationError:
            return False
        return True

    return check


def _is_canonical(text: str) -> bool:
    return str(_parse_ip(text).address) == text


def _global_unicast(ip: _Ip) -> bool:
    address = ip.address
    return not (
        address.is_unspecified
        or address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )


def _link_local_multicast(ip: _Ip) -> bool:
    packed = ip.address.packed
    return packed[:3] == b"\xe0\0\0" if len(packed) == 4 else packed[0] == 0xFF and packed[1] & 0x0F == 2


def _contains_ip(cidr: _Cidr, other: _Ip | str) -> bool:
    address = _parse_ip(other).address if isinstance(other, str) else other.address
    return address in cidr.network


def _contains_cidr(cidr: _Cidr, other: _Cidr | str) -> bool:
    inner = _parse_cidr(other) if isinstance(other, str) else other
    return cidr.bits <= inner.bits and inner.network.network_address in cidr.network


def _masked(cidr: _Cidr) -> _Cidr:
    return _Cidr(cidr.network.network_address, cidr.bits)


ADDRESSES: tuple[Overload, ...] = (
    function("ip", "string_to_ip", (STRING,), IP, _parse_ip),
    function("isIP", "is_ip_string", (STRING,), BOOL, _parses(_parse_ip)),
    function("ip.isCanonical", "ip_is_canonical_string", (STRING,), BOOL, _is_canonical),
    function("string", "ip_to_string", (IP,), STRING, lambda ip: str(ip.address)),
    method("family", "ip_family", (IP,), INT, lambda ip: ip.address.version),
    method("isUnspecified", "ip_is_unspecified", (IP,), BOOL, lambda ip: ip.address.is_unspecified),
    method("isLoopback", "ip_is_loopback", (IP,), BOOL, lambda ip: ip.address.is_loopback),
    method("isLinkLocalMulticast", "ip_is_link_local_multicast", (IP,), BOOL, _link_local_multicast),
    method("isLinkLocalUnicast", "ip_is_link_local_unicast", (IP,), BOOL, lambda ip: ip.address.is_link_local),
    method("isGlobalUnicast", "ip_is_global_unicast", (IP,), BOOL, _global_unicast),
    function("cidr", "string_to_cidr", (STRING,), CIDR, _parse_cidr),
    function("isCIDR", "is_cidr_string", (STRING,), BOOL, _parses(_parse_cidr)),
    function("string", "cidr_to_string", (CIDR,), STRING, lambda cidr: f"{cidr.address}/{cidr.bits}"),
    method("containsIP", "cidr_contains_ip_string", (CIDR, STRING), BOOL, _contains_ip),
    method("containsIP", "cidr_contains_ip_ip", (CIDR, IP), BOOL, _contains_ip),
    method("containsCIDR", "cidr_contains_cidr_string", (CIDR, STRING), BOOL, _contains_cidr),
    method("containsCIDR", "cidr_contains_cidr", (CIDR, CIDR), BOOL, _contains_cidr),
    method("ip", "cidr_ip", (CIDR,), IP, lambda cidr: _Ip(cidr.address)),
    method("prefixLength", "cidr_prefix_length", (CIDR,), INT, lambda cidr: cidr.bits),
    method("masked", "cidr_masked", (CIDR,), CIDR, _masked),
)
