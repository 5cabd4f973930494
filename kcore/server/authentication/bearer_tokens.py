"""Bearer tokens: in the Authorization header, or, where a browser opens a WebSocket, among the subprotocols."""

from __future__ import annotations

from collections.abc import Awaitable

from kcore.registry.authentication import InvalidToken, TokenUnion
from kcore.registry.request import User
from kcore.server.authentication.request import Asking, Refused
from kcore.server.websocket import bearer_token, wants_websocket

__all__ = ["BearerTokens", "WebSocketTokens"]


class BearerTokens:
    """`Authorization: Bearer TOKEN`. Other schemes say nothing here."""

    def __init__(self, tokens: TokenUnion) -> None:
        self._tokens = tokens

    def user(self, asking: Asking) -> Awaitable[User] | None:
        credentials = asking.headers.get("Authorization")
        if credentials is None:
            return None
        scheme, _, token = credentials.strip().partition(" ")
        if " " in token:
            token = token.partition(" ")[0]
        if not token or (scheme != "Bearer" and scheme.lower() != "bearer"):
            return None
        return _owner(self._tokens, token)


class WebSocketTokens:
    """Browsers can not set headers of a WebSocket, but its subprotocols."""

    def __init__(self, tokens: TokenUnion) -> None:
        self._tokens = tokens

    def user(self, asking: Asking) -> Awaitable[User] | None:
        if not wants_websocket(asking.headers):
            return None
        token = bearer_token(asking.headers)
        return _owner(self._tokens, token) if token else None


async def _owner(tokens: TokenUnion, token: str) -> User:
    try:
        return (await tokens.authenticate(token)).user
    except InvalidToken:
        raise Refused("invalid bearer token") from None
