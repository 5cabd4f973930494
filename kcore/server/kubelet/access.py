"""Who may ask a kubelet what. Both questions go to the API server, as reviews, and answers are kept for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from kcore.api.authentication_v1 import TokenReview, TokenReviewSpec
from kcore.api.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from kcore.api.errors import Forbidden, Unauthorized
from kcore.client.client import Client
from kcore.kit.clock import Clock
from kcore.registry.request import User

__all__ = ["KubeletAccess", "subresources_of"]

K = TypeVar("K")
V = TypeVar("V")

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TOKEN_SECONDS = 120.0
_ALLOWED_SECONDS = 300.0
_REFUSED_SECONDS = 30.0
_KEPT_MAX = 1024


def subresources_of(path: str) -> Sequence[str]:
    """Below `nodes`, what must be allowed for a path: any one of these is enough."""
    first = path.strip("/").partition("/")[0]
    match first:
        case "stats" | "metrics":
            return (first,)
        case "logs":
            return ("log",)
        case "pods" | "healthz" | "configz":
            return (first, "proxy")
        case "runningpods":
            return ("pods", "proxy")
    return ("proxy",)


class _Question(NamedTuple):
    """Answers are kept by what RBAC looks at."""

    name: str
    uid: str
    groups: tuple[str, ...]
    verb: str
    node: str
    subresource: str


class KubeletAccess:
    """Authentication by bearer token and authorization, for those who come to the kubelet's own port."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._users: dict[str, tuple[float, User]] = {}
        self._decisions: dict[_Question, tuple[float, bool]] = {}

    async def user(self, credentials: str | None) -> User:
        """Whose a header is. Raises Unauthorized, also where there is none: nobody is anonymous here."""
        scheme, _, token = (credentials or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized
        kept = self._users.get(token)
        if kept is not None and kept[0] > self._clock.now():
            return kept[1]
        review = await self._client.create(TokenReview(spec=TokenReviewSpec(token=token)))
        if not review.status.authenticated:
            raise Unauthorized
        found = review.status.user
        user = User(found.username, found.uid, tuple(found.groups), {k: tuple(v) for k, v in found.extra.items()})
        _keep(self._users, token, (self._clock.now() + _TOKEN_SECONDS, user))
        return user

    async def require(self, user: User, method: str, node: str, path: str) -> None:
        """Raises Forbidden, in the kubelet's words."""
        verb, subresources = _VERBS.get(method, ""), subresources_of(path)
        for subresource in subresources:
            if await self._allowed(user, verb, node, subresource):
                return
        raise Forbidden(
            f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}])\n"
        )

    async def _allowed(self, user: User, verb: str, node: str, subresource: str) -> bool:
        key = _Question(user.name, user.uid, user.groups, verb, node, subresource)
        kept = self._decisions.get(key)
        if kept is not None and kept[0] > self._clock.now():
            return kept[1]
        asked = ResourceAttributes(verb=verb, version="v1", resource="nodes", subresource=subresource, name=node)
        spec = SubjectAccessReviewSpec(
            user=user.name, uid=user.uid, groups=user.groups, extra=user.extra, resource_attributes=asked
        )
        review = await self._client.create(SubjectAccessReview(spec=spec))
        allowed = review.status.allowed
        seconds = _ALLOWED_SECONDS if allowed else _REFUSED_SECONDS
        _keep(self._decisions, key, (self._clock.now() + seconds, allowed))
        return allowed


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    """Add to a cache that forgets its oldest entry."""
    if len(cache) >= _KEPT_MAX:
        del cache[next(iter(cache))]
    cache[key] = value
