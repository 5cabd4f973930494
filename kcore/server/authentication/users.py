"""The users and groups that authentication itself knows."""

from __future__ import annotations

from kcore.registry.request import User

__all__ = ["ADMIN", "ANONYMOUS", "AUTHENTICATED", "UNAUTHENTICATED", "known"]

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ADMIN = User("system:admin", groups=("system:masters", AUTHENTICATED))
"""Everyone on the insecure port."""
ANONYMOUS = User("system:anonymous", groups=(UNAUTHENTICATED,))


def known(user: User) -> User:
    """The user in the group of all who are known; whoever is anonymous stays so."""
    if user.name == ANONYMOUS.name or AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return user._replace(groups=(*user.groups, AUTHENTICATED))
