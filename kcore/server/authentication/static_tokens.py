"""Static tokens (`--token-auth-file`): lines of a file, read once at start."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from kcore.registry.authentication import ISSUER, AnyAudience, Authenticated
from kcore.registry.request import User
from kcore.server.authentication.users import known

__all__ = ["StaticTokens", "read_token_file"]


class StaticTokens(AnyAudience):
    """Tokens are looked up by their digest, so that how long that takes tells nothing about how much was right."""

    def __init__(self, users: Mapping[str, User], audiences: Sequence[str] = (ISSUER,)) -> None:
        super().__init__(audiences)
        own = tuple(audiences)
        self._own = own
        self._known = {_digest(token): Authenticated(known(user), own) for token, user in users.items()}

    async def authenticate(self, token: str, audiences: Sequence[str]) -> Authenticated | None:
        if audiences == self._own:  # as for every request
            return self._known.get(_digest(token))
        return await super().authenticate(token, audiences)

    async def user(self, token: str) -> User | None:
        found = self._known.get(_digest(token))
        return found.user if found is not None else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def read_token_file(path: Path) -> Mapping[str, User]:
    """Read `token,user,uid,"group,group"` lines, as upstream's. Raises ValueError with the line's number."""
    users: dict[str, User] = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if len(cells) < 3 or not cells[0] or not cells[1]:
                raise ValueError(f'{path}:{number}: a line must read token,user,uid or token,user,uid,"group,group"')
            groups = [group.strip() for group in cells[3].split(",")] if len(cells) > 3 and cells[3] else []
            users[cells[0]] = User(cells[1], cells[2], tuple(groups))
    return users
