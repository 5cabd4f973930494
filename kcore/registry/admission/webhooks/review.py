"""AdmissionReview: the question that a webhook is asked, and the check of its answer. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import Status
from kcore.registry.admission.attributes import Attributes
from kcore.registry.patching.json_patch import Operation, parse_operations

__all__ = ["BadAnswer", "Verdict", "question", "review_version", "verdict"]

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
_NULL = msgspec.Raw(b"null")


def review_version(accepted: tuple[str, ...]) -> str:
    """The first version in the webhook's order of preference that is known here; configurations have one."""
    return next(version for version in accepted if version in VERSIONS)


def question(attributes: Attributes, kind: Kind, uid: str, version: str) -> bytes:
    """The review of a request, its object shown as `kind`."""
    request = {
        "uid": uid,
        **attributes.request_as(kind),
        "object": _raw(attributes.object_as(kind)),
        "oldObject": _raw(attributes.old_object_as(kind)),
    }
    return msgspec.json.encode({"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": request})


def _raw(document: bytes | None) -> msgspec.Raw:
    return _NULL if document is None else msgspec.Raw(document)


class BadAnswer(Exception):
    """What comes back is no answer to the question; the message is upstream's."""


class Undecodable(BadAnswer):
    """It is no AdmissionReview at all."""


class UndecodablePatch(BadAnswer):
    """It is one, but its patch cannot be read."""


class Verdict(NamedTuple):
    allowed: bool
    status: Status | None = None
    patch: tuple[Operation, ...] = ()
    patch_type: str = ""
    annotations: Mapping[str, str] = MappingProxyType({})
    warnings: tuple[str, ...] = ()


class _Response(msgspec.Struct, rename="camel"):
    uid: str = ""
    allowed: bool = False
    status: Status | None = None
    patch: str | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] | None = None
    warnings: tuple[str, ...] | None = None


class _Review(msgspec.Struct, rename="camel"):
    kind: str = ""
    api_version: str = ""
    response: _Response | None = None


def verdict(answer: bytes, uid: str, version: str, *, mutating: bool) -> Verdict:
    """Raises BadAnswer."""
    review = _decode(answer)
    response = review.response
    if response is None:
        raise BadAnswer("webhook response was absent")
    if version == "v1":
        _check_v1(review, response, uid, mutating)
    return Verdict(
        response.allowed,
        response.status,
        _operations(response.patch or "") if mutating else (),
        response.patch_type or "JSONPatch",
        response.audit_annotations or {},
        response.warnings or (),
    )


def _decode(answer: bytes) -> _Review:
    try:
        review = msgspec.json.decode(answer, type=_Review)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Undecodable(f"couldn't get version/kind; json parse error: {e}") from None
    if not review.kind:
        raise Undecodable(f"Object 'Kind' is missing in '{answer.decode(errors='replace')}'")
    if review.kind != "AdmissionReview" or review.api_version not in [f"{GROUP}/{v}" for v in VERSIONS]:
        raise Undecodable(f'no kind "{review.kind}" is registered for version "{review.api_version}"')
    return review


def _check_v1(review: _Review, response: _Response, uid: str, mutating: bool) -> None:
    if response.uid != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.uid}"')
    if review.api_version != f"{GROUP}/v1":
        got = f"{review.api_version}, Kind={review.kind}"
        raise BadAnswer(f"expected webhook response of {GROUP}/v1, Kind=AdmissionReview, got {got}")
    if not mutating:
        if response.patch:
            raise BadAnswer("validating webhook may not return response.patch")
        if response.patch_type is not None:
            raise BadAnswer("validating webhook may not return response.patchType")
        return
    if response.patch and response.patch_type is None:
        raise BadAnswer("webhook returned response.patch but not response.patchType")
    if not response.patch and response.patch_type is not None:
        raise BadAnswer("webhook returned response.patchType but not response.patch")
    if response.patch_type is not None and not response.patch_type:
        raise BadAnswer('webhook returned invalid response.patchType of ""')


def _operations(patch: str) -> tuple[Operation, ...]:
    if not patch:
        return ()
    try:
        return parse_operations(base64.b64decode(patch, validate=True))[0]
    except (binascii.Error, ApiError) as e:
        raise UndecodablePatch(str(e)) from None
