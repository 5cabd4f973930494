"""The rules of resourceVersion and its companions in lists and watches, and continue tokens."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from typing import NamedTuple

import msgspec

from kcore.api.errors import ApiError, BadRequest, Expired, Invalid, Timeout
from kcore.api.field import FieldError, Path, forbidden, not_supported
from kcore.api.meta_v1 import ListMeta, Status, StatusCause, StatusDetails
from kcore.registry.request import ListOptions

__all__ = [
    "Continue",
    "ContinueExpired",
    "check_list_options",
    "check_watch_options",
    "decode_continue",
    "encode_continue",
    "parse_version",
    "too_large",
]

_EXACT = "Exact"
_NOT_OLDER_THAN = "NotOlderThan"
_MATCH = Path("resourceVersionMatch")
_UINT64 = 2**64
_UINT64_DIGITS = 20


def parse_version(text: str) -> int:
    """The revision that a client names; 0 where it names none."""
    if not text:
        return 0
    why = ""
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdigit()):
        why = "invalid syntax"
    elif len(digits) > _UINT64_DIGITS or int(digits) >= _UINT64:
        why = "value out of range"
    if why:
        detail = f'strconv.ParseUint: parsing "{text}": {why}'
        raise BadRequest(f'invalid resource version: resourceVersion: Invalid value: "{text}": {detail}')
    return int(digits)


def too_large(version: int, current: int) -> Timeout:
    """The client knows a future that has not come; upstream gives up waiting for it after three seconds."""
    cause = StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
    return Timeout(
        f"Timeout: Too large resource version: {version}, current: {current}",
        StatusDetails(causes=(cause,), retry_after_seconds=1),
    )


def check_list_options(options: ListOptions) -> None:
    errors: list[FieldError] = []
    match = options.resource_version_match
    if match:
        if not options.resource_version:
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_:
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
        if match not in (_EXACT, _NOT_OLDER_THAN):
            errors.append(not_supported(_MATCH, match, (_EXACT, _NOT_OLDER_THAN, "")))
        if match == _EXACT and options.resource_version == "0":
            errors.append(forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        errors.append(forbidden(Path("sendInitialEvents"), "sendInitialEvents is forbidden for list"))
    _refuse(errors)
    if options.continue_ and options.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")


def check_watch_options(options: ListOptions) -> None:
    errors: list[FieldError] = []
    match = options.resource_version_match
    initial = options.send_initial_events is not None
    if initial and match != _NOT_OLDER_THAN:
        errors.append(
            forbidden(_MATCH, f"sendInitialEvents requires setting resourceVersionMatch to {_NOT_OLDER_THAN}")
        )
    if match:
        if not initial:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(forbidden(_MATCH, why))
        if match != _NOT_OLDER_THAN:
            errors.append(not_supported(_MATCH, match, (_NOT_OLDER_THAN,)))
        if options.continue_:
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    _refuse(errors)


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid.named("meta.k8s.io", "ListOptions", "", errors)


class Continue(NamedTuple):
    """Where the next page starts: beyond `after` (relative to the list's prefix), at `revision` (negative: now)."""

    revision: int
    after: str


class _Token(msgspec.Struct):
    v: str = ""
    rv: int = 0
    start: str = ""


_V1 = "meta.k8s.io/v1"


def encode_continue(position: Continue) -> str:
    token = _Token(_V1, position.revision, f"{position.after}\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_continue(text: str) -> Continue:
    token = _decode_token(text)
    if token.v != _V1:
        raise _bad_token(f"server does not recognize this encoded version {token.v}")
    if token.rv == 0:
        raise _bad_token(f"incorrect encoded start resourceVersion (version {_V1})")
    if not token.start:
        raise _bad_token(f"encoded start key empty (version {_V1})")
    rooted = token.start if token.start.startswith("/") else f"/{token.start}"
    if posixpath.normpath(rooted) != rooted:
        raise _bad_token(token.start)
    return Continue(token.rv, rooted[1:].removesuffix("\0"))


def _decode_token(text: str) -> _Token:
    try:
        if len(text) % 4 == 1 or not _is_base64url(text):
            raise binascii.Error
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _bad_token(f"illegal base64 data at input byte {_first_bad(text)}") from None
    try:
        return msgspec.json.decode(data, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _bad_token(_json_fault(data)) from None


_is_base64url = re.compile(r"[A-Za-z0-9_-]*").fullmatch


def _first_bad(text: str) -> int:
    match = re.match(r"[A-Za-z0-9_-]*", text)
    return match.end() if match and match.end() < len(text) else max(len(text) - 1, 0)


def _json_fault(data: bytes) -> str:
    """What Go's decoder says of bytes that are no JSON object, as far as tokens go."""
    text = data.lstrip()
    if not text or text[:1] in b'{["-0123456789':
        return "unexpected end of JSON input"
    byte = text[0]
    shown = chr(byte) if 0x20 <= byte < 0x7F else f"\\u{byte:04x}"
    return f"invalid character '{shown}' looking for beginning of value"


def _bad_token(why: str) -> ApiError:
    return BadRequest(f"invalid continue token: continue key is not valid: {why}")


class ContinueExpired(Expired):
    """The snapshot that a token stands for is gone; the answer holds a token to go on without it."""

    def __init__(self, after: str) -> None:
        super().__init__(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list."
        )
        self._token = encode_continue(Continue(-1, after))

    @property
    def status(self) -> Status:
        return msgspec.structs.replace(super().status, metadata=ListMeta(continue_=self._token))
