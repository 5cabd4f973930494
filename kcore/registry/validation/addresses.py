"""Rules of IP addresses, CIDRs and port references, shared by all that route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface
from typing import TypeAlias

from kcore.api.field import FieldError, Path, invalid
from kcore.api.names import port_name, port_number

__all__ = [
    "Network",
    "family_of",
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
    if "%" in text:  # zones are nothing that Go's parser knows
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def family_of(text: str) -> str:
    """IPv4, IPv6, or nothing for what is no address."""
    address = parse_ip(text)
    return f"IPv{address.version}" if address is not None else ""


def validate_ip(text: str, path: Path) -> Iterator[FieldError]:
    if not _is_ipv4(text) and parse_ip(text) is None:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def validate_cidr(text: str, path: Path) -> Iterator[FieldError]:
    """`address/bits`; bits of the address below the mask may be set."""
    try:
        prefix = text.partition("/")[2]
        good = prefix.isascii() and prefix.isdigit() and "%" not in text
        if good:
            ip_interface(text)
    except ValueError:
        good = False
    if not good:
        yield invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def validate_endpoint_ip(text: str, path: Path, pods: Network | None = None) -> Iterator[FieldError]:
    """An address that traffic may be sent to: not one that means "this node", unless it is of `pods`, the loopback
    range that pods of this machine live in."""
    address = parse_ip(text)
    if address is None:
        yield invalid(path, text, "must be a valid IP address")
        return
    if address.is_unspecified:
        yield invalid(path, text, "may not be unspecified (0.0.0.0 or ::)")
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
