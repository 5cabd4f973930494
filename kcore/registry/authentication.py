"""Whose is a token? What every source of tokens answers, and the union that asks them in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kcore.registry.request import User

__all__ = ["ISSUER", "AnyAudience", "Authenticated", "InvalidToken", "TokenAuthenticator", "TokenUnion"]

ISSUER = "https://kubernetes.default.svc"
"""Who issues the tokens of service accounts, and whom they are for, unless told otherwise."""


class Authenticated(NamedTuple):
    user: User
    audiences: tuple[str, ...]


class InvalidToken(Exception):
    """The token is of a kind that is known here, and not good (any more)."""


class TokenAuthenticator(Protocol):
    """One source of tokens."""

    async def authenticate(self, token: str, audiences: Sequence[str]) -> Authenticated | None:
        """None: not one of mine. Raises InvalidToken. `audiences`: for whom it must have been issued, any of them."""


class AnyAudience:
    """A source whose tokens name no audience: they are good for the API server itself, whatever it is called."""

    def __init__(self, audiences: Sequence[str]) -> None:
        self._audiences = audiences

    async def authenticate(self, token: str, audiences: Sequence[str]) -> Authenticated | None:
        common = tuple(each for each in self._audiences if each in audiences)
        user = await self.user(token) if common else None
        return None if user is None else Authenticated(user, common)

    async def user(self, token: str) -> User | None:
        """Raises InvalidToken."""
        raise NotImplementedError


class TokenUnion:
    """The first source that knows a token decides. `audiences`: what the API server calls itself."""

    def __init__(self, sources: Sequence[TokenAuthenticator] = (), audiences: Sequence[str] = (ISSUER,)) -> None:
        self.audiences = tuple(audiences)
        self._sources = tuple(sources)

    async def authenticate(self, token: str, audiences: Sequence[str] = ()) -> Authenticated:
        """Raises InvalidToken, with all that the sources have to say against it."""
        wanted = audiences or self.audiences
        errors: list[str] = []
        for source in self._sources:
            try:
                found = await source.authenticate(token, wanted)
            except InvalidToken as error:
                errors.append(str(error))
                continue
            if found is not None:
                return found
        raise InvalidToken(", ".join(errors))
