"""The types of authentication/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Int64, Struct, Time, empty, null


class BoundObjectReference(Struct):
    name: str = ""
    api_version: str = ""
    kind: str = ""
    uid: str = ""


class UserInfo(Struct):
    extra: Mapping[str, tuple[str, ...]] = {}
    groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    uid: str = ""
    username: str = ""


class SelfSubjectReviewStatus(Struct):
    user_info: UserInfo = field(default_factory=UserInfo)


class SelfSubjectReview(Object):
    status: SelfSubjectReviewStatus = field(default_factory=SelfSubjectReviewStatus)


class TokenRequestSpec(Struct):
    audiences: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    bound_object_ref: BoundObjectReference | None = field(default_factory=null)
    expiration_seconds: Int64 | None = None


class TokenRequestStatus(Struct):
    expiration_timestamp: Time | None = field(default_factory=null)
    token: str = ""


class TokenRequest(Object):
    spec: TokenRequestSpec = field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = field(default_factory=TokenRequestStatus)


class TokenReviewSpec(Struct):
    audiences: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    token: str = field(default_factory=empty)


class TokenReviewStatus(Struct):
    audiences: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    authenticated: bool = False
    error: str = ""
    user: UserInfo = field(default_factory=UserInfo)


class TokenReview(Object):
    spec: TokenReviewSpec = field(default_factory=TokenReviewSpec)
    status: TokenReviewStatus = field(default_factory=TokenReviewStatus)
