"""Conversion by webhook: a ConversionReview goes out with objects of one version, and comes back with another's.

What comes back is not trusted: it must be as many objects, of the version asked for, each still the same object. Of
their metadata only labels and annotations may have changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import WebhookConversion
from kcore.api.errors import ApiError, InternalError
from kcore.api.field import FieldError, quote
from kcore.api.json_syntax import TOO_DEEP, too_deep
from kcore.api.kind import Kind, parse_api_version
from kcore.api.meta_v1 import ObjectMeta, Status
from kcore.api.object import CustomResource, encode_object
from kcore.kit.clock import Chance
from kcore.registry.metadata import annotation_errors, label_errors
from kcore.registry.webhook_client import CallFailed, Target, WebhookClient

__all__ = ["WebhookConverter"]

_GROUP = "apiextensions.k8s.io"
_SECONDS = 30.0
_OBJECTS_MAX = 500
_KNOWN = ("v1", "v1beta1")
_NOTHING: dict[str, Any] = {"uid": "", "convertedObjects": None, "result": {"metadata": {}}}

_encode = msgspec.json.Encoder().encode


class _Answer(msgspec.Struct, rename="camel"):
    uid: str = ""
    converted_objects: tuple[dict[str, Any], ...] | None = None
    result: Status = msgspec.field(default_factory=Status)


class _Review(msgspec.Struct, rename="camel"):
    kind: str = ""
    api_version: str = ""
    response: _Answer | None = None


class _Refused(Exception):
    """What is wrong with an answer, after `conversion webhook for ... `."""


class WebhookConverter:
    """Asks the webhook of one definition."""

    def __init__(self, kind: Kind, webhooks: WebhookClient, chance: Chance) -> None:
        definition = kind.definition
        assert definition is not None
        assert definition.spec.conversion is not None
        webhook = definition.spec.conversion.webhook
        assert isinstance(webhook, WebhookConversion)
        assert webhook.client_config is not None
        self._kind = kind.name
        self._target = Target.of(webhook.client_config)
        self._version = next((v for v in webhook.conversion_review_versions if v in _KNOWN), "")
        self._webhooks = webhooks
        self._chance = chance

    async def convert(self, objects: Sequence[CustomResource], api_version: str) -> list[CustomResource]:
        """The objects, none of which is of this version yet, in this version. Raises ApiError."""
        found: list[CustomResource] = []
        for start in range(0, len(objects), _OBJECTS_MAX):
            found += await self._convert(objects[start : start + _OBJECTS_MAX], api_version)
        return found

    async def _convert(self, objects: Sequence[CustomResource], api_version: str) -> list[CustomResource]:
        group, version = parse_api_version(objects[0].api_version)
        asked = f"conversion webhook for {group}/{version}, Kind={self._kind}"
        try:
            answered = await self._ask(objects, api_version)
            if len(answered) != len(objects):
                raise _Refused(f"returned {len(answered)} objects, expected {len(objects)}")
            return [
                self._checked(original, tree, api_version, at)
                for at, (original, tree) in enumerate(zip(objects, answered, strict=True))
            ]
        except _Refused as why:
            raise _failed(f"{asked} {why}") from None

    async def _ask(self, objects: Sequence[CustomResource], api_version: str) -> Sequence[dict[str, Any]]:
        if not self._version:
            raise _failed("no supported conversion review versions")
        uid = self._chance.uid()
        opening = f'{{"kind":"{self._kind}",'.encode()
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{self._version}",
            "request": {
                "uid": uid,
                "desiredAPIVersion": api_version,
                "objects": [msgspec.Raw(opening + encode_object(obj)[1:]) for obj in objects],
            },
            "response": _NOTHING,
        }
        try:
            body = await self._webhooks.call(self._target, _encode(review), seconds=_SECONDS)
            if too_deep(body):
                raise _Refused(f"failed: {TOO_DEEP}")
            return self._read(msgspec.json.decode(body, type=_Review), uid)
        except (CallFailed, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Refused(f"failed: {error}") from None

    def _read(self, review: _Review, uid: str) -> Sequence[dict[str, Any]]:
        """What an answer holds. The first version of reviews is not held to be an answer to what was asked."""
        strict = self._version == "v1"
        got = (*parse_api_version(review.api_version), review.kind)
        if strict and got != (_GROUP, "v1", "ConversionReview"):
            wanted = f"{_GROUP}/v1, Kind=ConversionReview"
            raise _Refused(f"failed: expected webhook response of {wanted}, got {got[0]}/{got[1]}, Kind={got[2]}")
        answer = review.response
        if answer is None:
            raise _Refused("failed: no response provided")
        if strict and answer.uid != uid:
            raise _Refused(f"failed: expected response.uid={quote(uid)}, got {quote(answer.uid)}")
        if answer.result.status != "Success":
            told = f"response.result.status was '{answer.result.status}', not 'Success'"
            raise _Refused(f"failed: {answer.result.message or told}")
        return answer.converted_objects or ()

    def _checked(self, original: CustomResource, tree: dict[str, Any], api_version: str, at: int) -> CustomResource:
        given = tree.get("apiVersion")
        if given != api_version:
            told = f"invalid groupVersion (expected {api_version}, received {given or ''})"
            raise _Refused(f"returned invalid object at index {at}: {told}")
        if tree.get("kind") != self._kind:
            told = f"invalid kind (expected {self._kind}, received {tree.get('kind') or ''})"
            raise _Refused(f"returned invalid object at index {at}: {told}")
        metadata = tree.get("metadata")
        if why := _other_object(original.metadata, metadata if isinstance(metadata, dict) else {}):
            raise _Refused(f"returned invalid object: {why}")
        try:
            kept = _metadata(original.metadata, tree)
        except _Refused as why_not:
            raise _Refused(f"returned invalid metadata: {why_not}") from None
        content = {wire: held for wire, held in tree.items() if wire not in ("kind", "apiVersion", "metadata")}
        return CustomResource(api_version=api_version, metadata=kept, content=content)


def _failed(why: str) -> ApiError:
    """Upstream's storage has no reason for it."""
    return InternalError(why, reason="")


def _other_object(original: ObjectMeta, given: Mapping[str, Any]) -> str:
    for word, wire, held in (
        ("name", "name", original.name),
        ("namespace", "namespace", original.namespace),
        ("UID", "uid", original.uid),
    ):
        got = given.get(wire) or ""
        if got != held:
            return f"must have the same {word}: {held} != {got}"
    return ""


def _metadata(original: ObjectMeta, tree: Mapping[str, Any]) -> ObjectMeta:
    """The original's, with the labels and annotations that came back."""
    if "metadata" not in tree:
        raise _Refused("missing metadata in converted object")
    given = tree["metadata"]
    if not isinstance(given, dict):
        raise _Refused(f"invalid metadata of type {_go_type(given)} in converted object")
    labels, annotations = (_texts(given.get(wire), wire) for wire in ("labels", "annotations"))
    errors: list[FieldError] = []
    if labels != original.labels:
        errors += label_errors(labels)
    if annotations != original.annotations:
        errors += [e._replace(field="metadata.annotation") for e in annotation_errors(annotations)]
    if errors:
        listed = [str(error) for error in errors]
        raise _Refused(listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]")
    return msgspec.structs.replace(original, labels=labels, annotations=annotations)


def _texts(given: Any, wire: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise _Refused(f"invalid metadata.{wire} of type {_go_type(given)} in converted object")
    for key, value in given.items():
        if not isinstance(value, str):
            told = f"metadata.{wire}[{key}] must be a string, but is {_go_type(value)} in converted object"
            raise _Refused(told)
    return given


_GO_TYPES = {dict: "map[string]interface {}", list: "[]interface {}", int: "int64", float: "float64"}


def _go_type(value: Any) -> str:
    return _GO_TYPES.get(type(value), {str: "string", bool: "bool"}.get(type(value), "<nil>"))
