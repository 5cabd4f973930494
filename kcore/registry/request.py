"""What the registry is asked: who, which verb, which object, with which options; and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.schema import TypeMeta
from kcore.store.store import Put, Record

if TYPE_CHECKING:
    from kcore.registry.admission.reinvocation import Reinvocation

__all__ = ["Answer", "GivenOptions", "ListOptions", "ListPage", "PatchType", "Request", "User"]


class User(NamedTuple):
    """Who asks, as authentication found out."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = {}


class GivenOptions(NamedTuple):
    """The options of a write as the client spelled them, of which webhooks and policies are told."""

    field_manager: str = ""
    field_validation: str = ""
    delete: DeleteOptions | None = None

    def document(self, operation: str, dry_run: bool) -> dict[str, Any]:
        given: dict[str, Any] = {"kind": f"{operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
        if self.delete is not None:
            return msgspec.to_builtins(self.delete) | given  # type: ignore[no-any-return]
        if dry_run:
            given["dryRun"] = ["All"]
        if self.field_manager:
            given["fieldManager"] = self.field_manager
        if self.field_validation:
            given["fieldValidation"] = self.field_validation
        return given


UNSPELLED = GivenOptions()


class Request(msgspec.Struct):
    """One request for a resource. `name` is empty for collections; a create has the name of its body, if any.

    `force`: whether an apply takes the fields of others.
    `warnings` and `code` are outcomes: what goes into Warning headers, and the HTTP status of the answer (200;
    201 where an object was created, also by update; 202 where a deletion has only begun). `charges` is what admission
    wants committed together with the object, such as the new usage of a quota. `annotations` is what admission has to
    say to the audit. `size`: how many bytes came with it, by which it is told whether others should wait for what is
    done with them. `findings`: what reading a custom resource found, which is told with what its schema finds.
    `shape` stands for all of a new object but its metadata, where such objects come by the thousand.
    """

    verb: str
    kind: Kind
    namespace: str
    name: str
    user: User
    subresource: str = ""
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Warn"
    force: bool = False
    warnings: list[str] = []
    findings: list[str] = []
    code: int = 200
    charges: tuple[Put, ...] = ()
    options: GivenOptions = UNSPELLED
    annotations: dict[str, str] | None = None
    reinvocation: Reinvocation | None = None
    shape: bytes | None = None
    size: int = 0

    def annotate(self, key: str, value: str) -> None:
        if self.annotations is None:
            self.annotations = {}
        self.annotations[key] = value


Answer: TypeAlias = Record | TypeMeta
"""A Record is an object of the request's kind: sent as `kind.type_meta + record.data[1:]`. Anything else (Status,
Scale, ...) has its own `kind` and `api_version` filled in and is encoded as it is."""


class PatchType(Enum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class ListOptions(NamedTuple):
    """The query of a list or watch, as decoded; the strings are still raw."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_: str = ""
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None


class ListPage(NamedTuple):
    """One page of a list: `metadata` is (resource_version, continue_, remaining_item_count)."""

    records: Sequence[Record]
    resource_version: str
    continue_: str = ""
    remaining_item_count: int | None = None
