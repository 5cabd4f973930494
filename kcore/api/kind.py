"""A kind: what a type is called on the wire, where it is served, and which verbs it answers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kcore.api.apiextensions_v1 import CustomResourceDefinition

__all__ = ["SCALE", "STANDARD_VERBS", "STATUS", "GroupVersion", "Kind", "Subresource", "parse_api_version"]

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def parse_api_version(api_version: str) -> tuple[str, str]:
    """`"apps/v1"` -> `("apps", "v1")`; `"v1"` -> `("", "v1")`."""
    group, _, version = api_version.rpartition("/")
    return group, version


@dataclass(frozen=True, slots=True)
class GroupVersion:
    """An API group at one version; the core group is `""`."""

    group: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object, such as `pods/NAME/binding`, and the kind of its body.

    `group` and `version` are those of the body where they differ from the parent's; empty otherwise.
    """

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


STATUS = Subresource("status", "", ("get", "patch", "update"))
SCALE = Subresource("scale", "Scale", ("get", "patch", "update"), group="autoscaling", version="v1")


@dataclass(frozen=True)
class Kind:
    """One served resource of one version. Compared by identity of meaning: group, version, plural.

    `type` is the Struct that its objects decode into. `storage` names the kind as which objects are stored where
    two groups or versions are views of one object (Events, HorizontalPodAutoscalers); None: stored as itself.
    """

    group: str
    version: str
    name: str
    plural: str
    type: type[Any] = field(repr=False, compare=False)
    singular: str = field(default="", compare=False)
    short_names: tuple[str, ...] = field(default=(), compare=False)
    categories: tuple[str, ...] = field(default=(), compare=False)
    namespaced: bool = field(default=True, compare=False)
    verbs: tuple[str, ...] = field(default=STANDARD_VERBS, compare=False)
    subresources: tuple[Subresource, ...] = field(default=(), compare=False)
    list_name: str = field(default="", compare=False)
    deprecation: str = field(default="", compare=False)
    """The warning that comes with every answer; empty: the kind is not deprecated."""
    definition: CustomResourceDefinition | None = field(default=None, repr=False, compare=False)
    """What the kind was defined by; None: it is built in."""

    def __hash__(self) -> int:
        return self._hash  # kinds are keys of what every request looks up

    @cached_property
    def _hash(self) -> int:
        return hash((self.group, self.version, self.plural))

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def group_version(self) -> GroupVersion:
        return GroupVersion(self.group, self.version)

    @cached_property
    def group_resource(self) -> str:
        """`"pods"`, `"deployments.apps"`: how messages and store buckets name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def list_kind(self) -> str:
        return self.list_name or f"{self.name}List"

    @cached_property
    def type_meta(self) -> bytes:
        """The opening of an encoded object, put before the stored bytes: `{"kind":"Pod","apiVersion":"v1",`.

        The stored bytes of a custom resource say themselves of which version they are."""
        if self.definition is not None:
            return f'{{"kind":"{self.name}",'.encode()
        return f'{{"kind":"{self.name}","apiVersion":"{self.api_version}",'.encode()

    @cached_property
    def storage_version_hash(self) -> str:
        """What discovery tells storage migrators: the first 8 bytes of SHA-256 of the stored group/version/kind."""
        digest = hashlib.sha256(f"{self.group}/{self.version}/{self.name}".encode()).digest()
        return base64.b64encode(digest[:8]).decode()

    def subresource(self, name: str) -> Subresource | None:
        return next((s for s in self.subresources if s.name == name), None)

    def key(self, namespace: str, name: str) -> str:
        """The store key of one object. Keys of a kind sort as etcd's do: by namespace, then name."""
        return f"{self.group_resource}/{namespace}/{name}" if self.namespaced else f"{self.group_resource}/{name}"

    def prefix(self, namespace: str = "") -> str:
        """The store prefix of all objects of the kind, or of those in one namespace."""
        return f"{self.group_resource}/{namespace}/" if namespace and self.namespaced else f"{self.group_resource}/"


def resource(
    type_: type[Any],
    plural: str,
    *,
    singular: str = "",
    short_names: Sequence[str] = (),
    categories: Sequence[str] = (),
    namespaced: bool = True,
    verbs: Sequence[str] = STANDARD_VERBS,
    subresources: Sequence[Subresource] = (),
    deprecation: str = "",
) -> Kind:
    """A row of the table of built-in kinds; `group` gives it its group and version."""
    name = type_.__name__
    return Kind(
        group="",
        version="",
        name=name,
        plural=plural,
        type=type_,
        singular=singular or name.lower(),
        short_names=tuple(short_names),
        categories=tuple(categories),
        namespaced=namespaced,
        verbs=tuple(verbs),
        subresources=tuple(subresources),
        deprecation=deprecation,
    )
