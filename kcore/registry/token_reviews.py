"""TokenReview: whose is this token? Asked by webhooks and aggregated servers that were shown one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kcore.api.authentication_v1 import TokenReview, TokenReviewStatus, UserInfo
from kcore.api.errors import BadRequest
from kcore.api.schema import fill
from kcore.registry.request import Request, User
from kcore.registry.service_account_tokens import ISSUER, Authenticated, InvalidToken, ServiceAccountTokens

__all__ = ["TokenAuthenticator", "review_token"]

_INVALID = "invalid bearer token"


class TokenAuthenticator(Protocol):
    """Tells whose a bearer token is; None: not one of mine."""

    async def user(self, token: str) -> User | None: ...


async def review_token(sources: Sequence[TokenAuthenticator], req: Request, review: TokenReview) -> TokenReview:
    if not review.spec.token:
        raise BadRequest("token is required for TokenReview in authentication")
    fill(review, status=await _status(sources, review.spec.token, review.spec.audiences))
    fill(review, kind="TokenReview", api_version="authentication.k8s.io/v1")
    req.code = 201
    return review


async def _status(sources: Sequence[TokenAuthenticator], token: str, audiences: Sequence[str]) -> TokenReviewStatus:
    for source in sources:
        try:
            found = await _asked(source, token, audiences)
        except InvalidToken as error:
            return TokenReviewStatus(error=f"[{_INVALID}, {error}]")
        if found is not None:
            user = found.user
            info = UserInfo(username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
            return TokenReviewStatus(authenticated=True, user=info, audiences=found.audiences)
    return TokenReviewStatus(error=_INVALID)


async def _asked(source: TokenAuthenticator, token: str, audiences: Sequence[str]) -> Authenticated | None:
    if isinstance(source, ServiceAccountTokens):
        return await source.authenticate(token, audiences or source.audiences)
    user = await source.user(token)
    if user is None or (audiences and ISSUER not in audiences):
        return None
    return Authenticated(user, (ISSUER,))
