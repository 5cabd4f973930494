"""The errors of the API: one small tree, raised anywhere, turned into a response in one place.

    ApiError                       code  reason
    |- BadRequest                   400  BadRequest
    |- Unauthorized                 401  Unauthorized
    |- Forbidden                    403  Forbidden
    |- NotFound                     404  NotFound
    |- MethodNotAllowed             405  MethodNotAllowed
    |- NotAcceptable                406  NotAcceptable
    |- AlreadyExists                409  AlreadyExists
    |- Conflict                     409  Conflict
    |- Expired                      410  Expired         (Gone where a continue token is concerned)
    |- RequestEntityTooLarge        413  RequestEntityTooLarge
    |- UnsupportedMediaType         415  UnsupportedMediaType
    |- Invalid                      422  Invalid
    |- TooManyRequests              429  TooManyRequests
    |- InternalError                500  InternalError
    |- NotImplementedByServer       501  NotImplemented
    |- ServiceUnavailable           503  ServiceUnavailable
    `- Timeout                      504  Timeout

Each mirrors `metav1.Status`; the message formats are those of apimachinery's `api/errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kcore.api.field import FieldError, quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import Status, StatusCause, StatusDetails

__all__ = [
    "AlreadyExists",
    "ApiError",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "NotImplementedByServer",
    "RequestEntityTooLarge",
    "ServiceUnavailable",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
    "because_namespace_goes",
]


class ApiError(Exception):
    """A failed request. `message` and `details` become those of the Status."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, details: StatusDetails | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.status_reason = self.reason if reason is None else reason

    @property
    def status(self) -> Status:
        return Status(
            kind="Status",
            api_version="v1",
            status="Failure",
            message=self.message,
            reason=self.status_reason,
            details=self.details,
            code=self.code,
        )

    @property
    def retry_after_seconds(self) -> int:
        """What a Retry-After header should say; 0: none."""
        return self.details.retry_after_seconds if self.details else 0


def _details(kind: Kind, name: str) -> StatusDetails:
    return StatusDetails(name=name, group=kind.group, kind=kind.plural)


class BadRequest(ApiError):
    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    code = 401
    reason = "Unauthorized"

    def __init__(self, message: str = "Unauthorized") -> None:
        super().__init__(message)


class Forbidden(ApiError):
    """`why` is the sentence after `is forbidden: `."""

    code = 403
    reason = "Forbidden"

    @classmethod
    def of(cls, kind: Kind, name: str, why: str) -> Forbidden:
        return cls(f"{kind.group_resource} {quote(name)} is forbidden: {why}", _details(kind, name))


class NotFound(ApiError):
    code = 404
    reason = "NotFound"

    @classmethod
    def of(cls, kind: Kind, name: str) -> NotFound:
        return cls(f"{kind.group_resource} {quote(name)} not found", _details(kind, name))

    @classmethod
    def path(cls) -> NotFound:
        """An address under which nothing is served."""
        return cls("the server could not find the requested resource", StatusDetails())


class MethodNotAllowed(ApiError):
    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    code = 406
    reason = "NotAcceptable"


class AlreadyExists(ApiError):
    code = 409
    reason = "AlreadyExists"

    @classmethod
    def of(cls, kind: Kind, name: str) -> AlreadyExists:
        return cls(f"{kind.group_resource} {quote(name)} already exists", _details(kind, name))


class Conflict(ApiError):
    code = 409
    reason = "Conflict"

    MODIFIED: ClassVar[str] = (
        "the object has been modified; please apply your changes to the latest version and try again"
    )

    @classmethod
    def of(cls, kind: Kind, name: str, why: str = MODIFIED) -> Conflict:
        return cls(f"Operation cannot be fulfilled on {kind.group_resource} {quote(name)}: {why}", _details(kind, name))


class Expired(ApiError):
    """The revision asked for is no longer in the history, or a continue token is too old."""

    code = 410
    reason = "Expired"


class RequestEntityTooLarge(ApiError):
    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks rules; each broken rule is a cause with its field path."""

    code = 422
    reason = "Invalid"

    @classmethod
    def of(cls, kind: Kind, name: str, errors: Sequence[FieldError]) -> Invalid:
        return cls.named(kind.group, kind.name, name, errors)

    @classmethod
    def named(cls, group: str, kind_name: str, name: str, errors: Sequence[FieldError]) -> Invalid:
        lines = list(dict.fromkeys(str(e) for e in errors))
        what = f"{kind_name}.{group}" if group else kind_name
        whole = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
        causes = tuple(StatusCause(reason=e.type, message=e.body, field=e.field) for e in errors)
        message = f"{what} {quote(name)} is invalid" + (f": {whole}" if lines else "")
        return cls(message, StatusDetails(name=name, group=group, kind=kind_name, causes=causes))


class TooManyRequests(ApiError):
    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    code = 500
    reason = "InternalError"

    @classmethod
    def because(cls, why: str) -> InternalError:
        return cls(f"Internal error occurred: {why}", StatusDetails(causes=(StatusCause(message=why),)))


class NotImplementedByServer(ApiError):
    code = 501
    reason = "NotImplemented"


class ServiceUnavailable(ApiError):
    code = 503
    reason = "ServiceUnavailable"


class Timeout(ApiError):
    code = 504
    reason = "Timeout"


def because_namespace_goes(error: ApiError) -> bool:
    """Whether nothing can be created any more where this was tried."""
    return error.details is not None and any(cause.reason == "NamespaceTerminating" for cause in error.details.causes)
