"""The names of chains: those that every table has, and those of one service port or endpoint."""

from __future__ import annotations

import base64
import hashlib

from kcore.proxy.endpoint import Endpoint
from kcore.proxy.serviceport import PortName

__all__ = [
    "EXTERNAL_SERVICES",
    "FIREWALL",
    "FORWARD",
    "MARK_MASQ",
    "NODE_PORTS",
    "OURS",
    "POSTROUTING",
    "PROXY_FIREWALL",
    "SERVICES",
    "endpoint_chain",
    "port_digest",
]

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODE_PORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
FIREWALL = "KUBE-FIREWALL"

OURS = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-")
"""How the names of chains begin that belong to one service port: cluster and local policy, external traffic, source
ranges, endpoint."""


def port_digest(name: PortName) -> str:
    """What the chains of a service port have in common: KUBE-SVC-X, KUBE-SVL-X, KUBE-EXT-X, KUBE-FW-X. iptables
    allows 28 characters."""
    return _digest(f"{name}{name.protocol.lower()}")


def endpoint_chain(name: PortName, endpoint: Endpoint) -> str:
    return f"KUBE-SEP-{_digest(f'{name}{name.protocol.lower()}{endpoint}')}"


def _digest(text: str) -> str:
    """The first 16 characters of the whole hash in base 32: those of its first ten bytes."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode()
