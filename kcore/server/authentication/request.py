"""What authentication sees of a request, and the shape of what it asks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from multidict import CIMultiDictProxy

from kcore.registry.request import User

if TYPE_CHECKING:
    from kcore.server.authentication.client_certificates import PeerCertificate

__all__ = ["Asking", "Refused", "RequestAuthenticator"]


class Asking(NamedTuple):
    headers: CIMultiDictProxy[str]
    certificate: PeerCertificate | None = None


class Refused(Exception):
    """Credentials were shown, and they are no good. Others may still know the client by something else."""


class RequestAuthenticator(Protocol):
    def user(self, asking: Asking) -> User | Awaitable[User] | None:
        """None: not known by what I look at. Who has to ask others answers what to wait for. Raises Refused."""
