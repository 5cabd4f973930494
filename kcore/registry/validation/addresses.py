"""Rules of IP addresses, CIDRs and port references, shared by all that route."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface
from typing import TypeAlias

from kcore.api.field import FieldError, Path, invalid
from kcore.api.names import port_name, port_number

__all__ = [
    "Network",
    "address_advice",
    "family_of",
    "network_advice",
    "parse_cidr",
    "parse_ip",
    "validate_cidr",
    "validate_endpoint_ip",
    "validate_ip",
    "validate_port_reference",
]

Network: TypeAlias = IPv4Network | IPv6Network

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_is_ipv4 = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}\Z").match
"""What most addresses are, seen in a tenth of the time of parsing."""


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Also what is no longer accepted, as upstream has it: an IPv4 address with leading zeros."""
    if "%" in text:  # zones are nothing that Go's parser knows
        return None
    try:
        return ip_address(_without_leading_zeros(text))
    except ValueError:
        return None


def _without_leading_zeros(text: str) -> str:
    """The numbers of an IPv4 address, alone or at the end of an IPv6 one, as they are mostly written."""
    head, colon, tail = text.rpartition(":")
    if ".0" not in tail and not tail.startswith("0"):
        return text
    octets = tail.split(".")
    if len(octets) != 4:
        return text
    return head + colon + ".".join(o.lstrip("0") or o[:1] for o in octets)


def family_of(text: str) -> str:
    """IPv4, IPv6, or nothing for what is no address."""
    address = parse_ip(text)
    return f"IPv{address.version}" if address is not None else ""


def validate_ip(text: str, path: Path, standing: Collection[str] = ()) -> Iterator[FieldError]:
    """Not what others may read as another address (KEP-4858). `standing`: what the field had before may stay."""
    if _is_ipv4(text) or text in standing:
        return
    address = parse_ip(text)
    if address is None:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
    elif _without_leading_zeros(text) != text:
        yield invalid(path, text, "must not have leading 0s")
    elif _is_mapped(address):
        yield invalid(path, text, "must not be an IPv4-mapped IPv6 address")


def _is_mapped(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def parse_cidr(text: str) -> Network | None:
    """The network, also of what is no longer accepted: leading zeros, bits of a host."""
    prefix, _, bits = text.partition("/")
    address = parse_ip(prefix)
    if address is None or not (bits.isascii() and bits.isdigit()) or int(bits) > address.max_prefixlen:
        return None
    return ip_interface((address, int(bits))).network


def validate_cidr(text: str, path: Path, standing: Collection[str] = ()) -> Iterator[FieldError]:
    """`address/bits`: a whole network. `standing`: what the field had before may stay."""
    if text in standing:
        return
    network = parse_cidr(text)
    prefix, _, bits = text.partition("/")
    address = parse_ip(prefix)
    if network is None or address is None:
        yield invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
    elif _without_leading_zeros(prefix) != prefix or str(int(bits)) != bits:
        yield invalid(path, text, "must not have leading 0s in IP or prefix length")
    elif _is_mapped(address):
        yield invalid(path, text, "must not have an IPv4-mapped IPv6 address")
    elif network.network_address != address:
        yield invalid(path, text, "must not have bits set beyond the prefix length")


def validate_endpoint_ip(text: str, path: Path, pods: Network | None = None) -> Iterator[FieldError]:
    """An address that traffic may be sent to: not one that means "this node", unless it is of `pods`, the loopback
    range that pods of this machine live in."""
    address = parse_ip(text)
    if address is None:
        yield invalid(path, text, "must be a valid IP address")
        return
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback and (pods is None or address not in pods):
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if _is_link_local_multicast(address):
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def _is_link_local_multicast(address: IPv4Address | IPv6Address) -> bool:
    octets = address.packed
    if len(octets) == 4:
        return octets[:3] == b"\xe0\x00\x00"
    return octets[0] == 0xFF and octets[1] & 0x0F == 2


def validate_port_reference(port: int | str, path: Path) -> Iterator[FieldError]:
    """A port by number or by name."""
    messages = port_name(port) if isinstance(port, str) else port_number(port)
    for message in messages:
        yield invalid(path, port, message)


def address_advice(text: str, path: Path) -> Iterator[str]:
    """What is accepted, or was and still stands, but written otherwise than others write it."""
    address = parse_ip(text)
    if address is None:
        return
    if _without_leading_zeros(text) != text or _is_mapped(address):
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) else address
        yield (
            f'{path}: non-standard IP address "{text}" will be considered invalid in a future Kubernetes release: '
            f'use "{plain}"'
        )
    elif address.version == 6 and str(address) != text:
        yield f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")'


def network_advice(text: str, path: Path) -> Iterator[str]:
    network, prefix = parse_cidr(text), text.partition("/")[0]
    address = parse_ip(prefix)
    if network is None or address is None:
        return
    if network.network_address != address:
        alone = f"{address}/{address.max_prefixlen}"
        yield f'{path}: CIDR value "{text}" is ambiguous in this context (should be "{network}" or "{alone}"?)'
    elif _without_leading_zeros(prefix) != prefix or _is_mapped(address):
        yield (
            f'{path}: non-standard CIDR value "{text}" will be considered invalid in a future Kubernetes release: '
            f'use "{network}"'
        )
    elif network.version == 6 and str(network) != text:
        yield f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{network}")'
