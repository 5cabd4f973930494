"""Questions to the authorizer: `authorizer.group('apps').resource('deployments').check('create').allowed()`.

The values are the caller's: what implements these Protocols, with `cel_type` set to the type it stands for, may be
bound to a variable. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from kcore.api.names import dns1123_label, dns1123_subdomain
from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, method
from kcore.cel.types import BOOL, STRING, opaque

__all__ = [
    "AUTHORIZER",
    "AUTHORIZER_TYPE",
    "DECISION",
    "GROUP_CHECK",
    "PATH_CHECK",
    "RESOURCE_CHECK",
    "TYPES",
    "Authorizer",
    "Decision",
    "GroupCheck",
    "PathCheck",
    "ResourceCheck",
]

AUTHORIZER_TYPE = opaque("kubernetes.authorization.Authorizer")
PATH_CHECK = opaque("kubernetes.authorization.PathCheck")
GROUP_CHECK = opaque("kubernetes.authorization.GroupCheck")
RESOURCE_CHECK = opaque("kubernetes.authorization.ResourceCheck")
DECISION = opaque("kubernetes.authorization.Decision")
TYPES = (AUTHORIZER_TYPE, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION)


class Decision(Protocol):
    """`error` is "" where deciding did not fail."""

    @property
    def allowed(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def error(self) -> str: ...


class PathCheck(Protocol):
    def check(self, verb: str) -> Decision: ...


class ResourceCheck(PathCheck, Protocol):
    """`narrowed` takes one of: subresource, namespace, name, fieldSelector, labelSelector."""

    def narrowed(self, by: str, value: str) -> ResourceCheck: ...


class GroupCheck(Protocol):
    def resource(self, resource: str) -> ResourceCheck: ...


class Authorizer(Protocol):
    def path(self, path: str) -> PathCheck: ...
    def group(self, group: str) -> GroupCheck: ...
    def service_account(self, namespace: str, name: str) -> Authorizer: ...


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return authorizer.path(path)


def _resource(group: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    return group.resource(resource)


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if dns1123_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if dns1123_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return authorizer.service_account(namespace, name)


def _narrowed(by: str) -> Any:
    return lambda check, value: check.narrowed(by, value)


def _authorizer() -> Iterator[Overload]:
    yield method("path", "authorizer_path", (AUTHORIZER_TYPE, STRING), PATH_CHECK, _path)
    yield method("group", "authorizer_group", (AUTHORIZER_TYPE, STRING), GROUP_CHECK, lambda a, group: a.group(group))
    account = (AUTHORIZER_TYPE, STRING, STRING)
    yield method("serviceAccount", "authorizer_serviceaccount", account, AUTHORIZER_TYPE, _service_account)
    yield method("resource", "groupcheck_resource", (GROUP_CHECK, STRING), RESOURCE_CHECK, _resource)
    for by in ("subresource", "namespace", "name", "fieldSelector", "labelSelector"):
        id_ = f"resourcecheck_{by.lower()}"
        yield method(by, id_, (RESOURCE_CHECK, STRING), RESOURCE_CHECK, _narrowed(by))
    yield method("check", "pathcheck_check", (PATH_CHECK, STRING), DECISION, lambda check, verb: check.check(verb))
    yield method("check", "resourcecheck_check", (RESOURCE_CHECK, STRING), DECISION, lambda c, verb: c.check(verb))
    yield method("allowed", "decision_allowed", (DECISION,), BOOL, lambda decision: decision.allowed)
    yield method("reason", "decision_reason", (DECISION,), STRING, lambda decision: decision.reason)
    yield method("errored", "decision_errored", (DECISION,), BOOL, lambda decision: bool(decision.error))
    yield method("error", "decision_error", (DECISION,), STRING, lambda decision: decision.error)


AUTHORIZER: tuple[Overload, ...] = tuple(_authorizer())
