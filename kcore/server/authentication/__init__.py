"""Who asks? Each way of knowing a client is one file, and `authenticators` is the order in which they are asked.

May import the registry (whose tokens are whose) and what TLS tells of a connection. What a user may do is not decided
here.
"""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.errors import Unauthorized
from kcore.registry.authentication import TokenUnion
from kcore.registry.request import User
from kcore.server.authentication.authorities import Authorities
from kcore.server.authentication.bearer_tokens import BearerTokens, WebSocketTokens
from kcore.server.authentication.client_certificates import ClientCertificates
from kcore.server.authentication.front_proxy import FrontProxy
from kcore.server.authentication.request import Asking, Refused, RequestAuthenticator
from kcore.server.authentication.users import ADMIN, ANONYMOUS, AUTHENTICATED

__all__ = ["ADMIN", "ANONYMOUS", "AUTHENTICATED", "Asking", "Authenticator", "authenticators"]


def authenticators(
    tokens: TokenUnion,
    *,
    clients: Authorities | None = None,
    front_proxy: FrontProxy | None = None,
) -> Sequence[RequestAuthenticator]:
    """In upstream's order. `clients`: who signs client certificates, where TLS accepts those of others too."""
    return (
        *([front_proxy] if front_proxy else []),
        ClientCertificates(clients),
        BearerTokens(tokens),
        WebSocketTokens(tokens),
    )


class Authenticator:
    """The first that knows the client decides. Who shows nothing is anonymous (`--anonymous-auth`); who shows
    credentials that nobody takes is refused."""

    def __init__(self, chain: Sequence[RequestAuthenticator], *, anonymous: bool = True) -> None:
        self._chain = tuple(chain)
        self._anonymous = anonymous

    async def user(self, asking: Asking) -> User:
        """Raises Unauthorized."""
        refused = False
        for authenticator in self._chain:
            try:
                user = authenticator.user(asking)
                if user is not None:
                    return user if isinstance(user, User) else await user
            except Refused:
                refused = True
        if refused or not self._anonymous:
            raise Unauthorized
        return ANONYMOUS
