"""What is told of one request: audit.k8s.io/v1 Events, one for each of its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kcore.api.meta_v1 import Status
from kcore.api.timestamp import format_micro
from kcore.kit.clock import Clock
from kcore.registry.access import Attributes, Decision
from kcore.registry.request import User
from kcore.server.audit.policy import Level, Telling

__all__ = ["Audited", "Emit", "Origin", "user_tree"]

Emit = Callable[[dict[str, Any]], None]

_DECISION = "authorization.k8s.io/decision"
_REASON = "authorization.k8s.io/reason"


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from, and what it asked for."""

    audit_id: str
    uri: str
    source_ips: tuple[str, ...]
    user_agent: str


class Audited:
    """One request on its way. Its stages are told as they are reached."""

    def __init__(
        self, origin: Origin, asked: Attributes, version: str, telling: Telling, clock: Clock, emit: Emit
    ) -> None:
        self.annotations: dict[str, str] = {}
        """What authorization and admission have to say."""
        self._started = False
        self._telling = telling
        self._clock = clock
        self._emit = emit
        self._tree: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": _NAMES[telling.level],
            "auditID": origin.audit_id,
            "stage": "",
            "requestURI": origin.uri,
            "verb": asked.verb,
            "user": user_tree(asked.user),
        }
        self._tree["sourceIPs"] = origin.source_ips
        if origin.user_agent:
            self._tree["userAgent"] = origin.user_agent
        if not asked.path:
            self._tree["objectRef"] = _reference(asked, version)
        self._tree["requestReceivedTimestamp"] = format_micro(clock.now())
        self._tell("RequestReceived")

    def impersonated(self, user: User) -> None:
        self._tree["impersonatedUser"] = user_tree(user)

    def decided(self, decision: Decision) -> None:
        self.annotations[_DECISION] = "allow" if decision.allowed else "forbid"
        self.annotations[_REASON] = decision.reason

    def requested(self, body: bytes, *, yaml: bool = False) -> None:
        """The object, patch or options that came with the request."""
        if self._telling.level >= Level.REQUEST and body:
            self._tree["requestObject"] = self._document(body, yaml)

    def started(self, code: int) -> None:
        """The answer has begun; it may last long."""
        if self._started:
            return
        self._started = True
        self._tree["responseStatus"] = {"metadata": {}, "code": code}
        self._tell("ResponseStarted")

    def complete(self, code: int, status: Status | None = None, body: bytes = b"", *, yaml: bool = False) -> None:
        """`status`: what went wrong; `body`: the document that was answered."""
        self._tree["responseStatus"] = _status(code, status)
        if self._telling.level >= Level.REQUEST_RESPONSE and body:
            self._tree["responseObject"] = self._document(body, yaml)
        self._tell("ResponseComplete")

    def panicked(self) -> None:
        """The server has failed on it."""
        self._tree["responseStatus"] = {
            "metadata": {},
            "status": "Failure",
            "message": "APIServer panic'd",
            "reason": "InternalError",
            "code": 500,
        }
        self._tell("Panic")

    def _tell(self, stage: str) -> None:
        if stage in self._telling.omitted_stages:
            return
        tree = {**self._tree, "stage": stage, "stageTimestamp": format_micro(self._clock.now())}
        if self.annotations:
            tree["annotations"] = dict(self.annotations)
        self._emit(tree)

    def _document(self, body: bytes, yaml: bool) -> Any:
        """A document as part of the event: its own bytes where they are one line of JSON; None where it is none."""
        body = body.strip()
        try:
            tree = _parsed(body, yaml)
        except (ValueError, RecursionError):
            return None
        if self._telling.omits_managed_fields:
            return _without_managed_fields(tree)
        return tree if yaml or b"\n" in body else msgspec.Raw(body)


_NAMES = {
    Level.NONE: "None",
    Level.METADATA: "Metadata",
    Level.REQUEST: "Request",
    Level.REQUEST_RESPONSE: "RequestResponse",
}


def user_tree(user: User) -> dict[str, Any]:
    tree: dict[str, Any] = {"username": user.name}
    if user.uid:
        tree["uid"] = user.uid
    if user.groups:
        tree["groups"] = user.groups
    if user.extra:
        tree["extra"] = user.extra
    return tree


def _reference(asked: Attributes, version: str) -> Mapping[str, str]:
    found = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "apiGroup": asked.group,
        "apiVersion": version,
        "subresource": asked.subresource,
    }
    return {key: value for key, value in found.items() if value}


def _status(code: int, status: Status | None) -> Mapping[str, Any]:
    if status is None:
        return {"metadata": {}, "code": code}
    tree: dict[str, Any] = {"metadata": {}, "status": status.status, "message": status.message, "reason": status.reason}
    if status.details is not None:
        tree["details"] = status.details
    return {**{key: value for key, value in tree.items() if value != ""}, "code": code}


def _parsed(body: bytes, yaml: bool) -> Any:
    if not yaml:
        return msgspec.json.decode(body)
    from kcore.api.yaml_syntax import parse_yaml

    return parse_yaml(body).tree


def _without_managed_fields(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    found = dict(tree)
    if isinstance(found.get("metadata"), dict):
        found["metadata"] = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    if isinstance(found.get("items"), list):
        found["items"] = [_without_managed_fields(item) for item in found["items"]]
    return found
