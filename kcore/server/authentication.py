"""Who asks: a client certificate, a bearer token, or nobody known. A wrong token is refused, not anonymous."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kcore.api.errors import Unauthorized
from kcore.registry.request import User
from kcore.registry.token_reviews import TokenAuthenticator

__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "AUTHENTICATED",
    "Authenticator",
    "StaticTokens",
    "read_token_file",
    "user_of_certificate",
]

AUTHENTICATED = "system:authenticated"
ADMIN = User("system:admin", groups=("system:masters", AUTHENTICATED))
"""Everyone on the insecure port."""
ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


def user_of_certificate(certificate: Mapping[str, Any]) -> User | None:
    """The user that a verified certificate names: the common name, in the groups that its organizations are."""
    names = [pair for relative in certificate.get("subject", ()) for pair in relative]
    common = next((value for key, value in names if key == "commonName"), "")
    groups = tuple(value for key, value in names if key == "organizationName")
    return User(common, groups=(*groups, AUTHENTICATED)) if common else None


class StaticTokens:
    """The tokens of a file, read once at start."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = users

    async def user(self, token: str) -> User | None:
        return self._users.get(token)


def read_token_file(path: Path) -> StaticTokens:
    """Read `token,user,uid,"group,group"` lines, as upstream's --token-auth-file. Raises ValueError with the line."""
    users: dict[str, User] = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if len(cells) < 3 or not cells[0] or not cells[1]:
                raise ValueError(f'{path}:{number}: a line must read token,user,uid or token,user,uid,"group,group"')
            groups = [group.strip() for group in cells[3].split(",")] if len(cells) > 3 and cells[3] else []
            users[cells[0]] = User(cells[1], cells[2], (*groups, AUTHENTICATED))
    return StaticTokens(users)


class Authenticator:
    """Asks each source in turn; the first that knows the client decides."""

    def __init__(self, tokens: Iterable[TokenAuthenticator] = ()) -> None:
        self._tokens: Sequence[TokenAuthenticator] = tuple(tokens)

    async def user(self, credentials: str | None) -> User:
        """Whose an Authorization header is. Raises Unauthorized where it carries a token that nobody knows."""
        if credentials is None:
            return ANONYMOUS
        scheme, _, token = credentials.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        for source in self._tokens:
            user = await source.user(token)
            if user is not None:
                return user
        raise Unauthorized
