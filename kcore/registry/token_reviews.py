"""TokenReview: whose is this token? Asked by webhooks and aggregated servers that were shown one."""

from __future__ import annotations

from kcore.api.authentication_v1 import TokenReview, TokenReviewStatus, UserInfo
from kcore.api.errors import BadRequest
from kcore.api.schema import fill
from kcore.registry.authentication import InvalidToken, TokenUnion
from kcore.registry.request import Request, User

__all__ = ["review_token", "user_info"]

_INVALID = "invalid bearer token"


async def review_token(tokens: TokenUnion, req: Request, review: TokenReview) -> TokenReview:
    if not review.spec.token:
        raise BadRequest("token is required for TokenReview in authentication")
    fill(review, status=await _status(tokens, review))
    fill(review, kind="TokenReview", api_version="authentication.k8s.io/v1")
    req.code = 201
    return review


async def _status(tokens: TokenUnion, review: TokenReview) -> TokenReviewStatus:
    try:
        found = await tokens.authenticate(review.spec.token, review.spec.audiences)
    except InvalidToken as error:
        return TokenReviewStatus(error=f"[{_INVALID}, {error}]" if str(error) else _INVALID)
    return TokenReviewStatus(authenticated=True, user=user_info(found.user), audiences=found.audiences)


def user_info(user: User) -> UserInfo:
    return UserInfo(username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
