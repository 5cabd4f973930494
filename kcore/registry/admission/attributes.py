"""A request as webhooks and policies see it: what is done to which resource, by whom, and the object in any version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from kcore.api.kind import Kind
from kcore.api.object import encode_object
from kcore.api.schema import JSON
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.plugin import Operation
from kcore.registry.request import Request

__all__ = ["Attributes", "Body"]

_NAMESPACES = "namespaces"


class Body(NamedTuple):
    """What the object of a request is called: of its kind, or of the subresource's."""

    group: str
    version: str
    name: str

    @classmethod
    def of(cls, kind: Kind, subresource: str) -> Body:
        below = kind.subresource(subresource) if subresource else None
        if below is None or not below.kind:
            return cls(kind.group, kind.version, kind.name)
        if not below.version:
            return cls(kind.group, kind.version, below.kind)
        return cls(below.group, below.version, below.kind)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def tree(self) -> dict[str, str]:
        return {"group": self.group, "version": self.version, "kind": self.name}


class Attributes:
    """`obj` and `old` are in the version of the request; `forms` knows the others."""

    __slots__ = ("_asked", "forms", "obj", "old", "operation", "req")

    def __init__(self, req: Request, operation: Operation, obj: Any, old: Any, forms: Forms) -> None:
        self.req = req
        self.operation = operation
        self.obj = obj
        self.old = old
        self.forms = forms
        self._asked: dict[tuple[int, Kind], tuple[Any, Any]] = {}

    @property
    def kind(self) -> Kind:
        return self.req.kind

    @property
    def name(self) -> str:
        """Empty where the server is still to make one up."""
        return self.req.name or (self.obj.metadata.name if hasattr(self.obj, "metadata") else "")

    @property
    def namespace(self) -> str:
        """Of a namespace it is the name."""
        return self.name if self.kind.group_resource == _NAMESPACES else self.req.namespace

    def body(self, kind: Kind | None = None) -> Body:
        return Body.of(kind or self.kind, self.req.subresource)

    async def ready_as(self, kind: Kind) -> None:
        """Have the objects converted into a kind, if that takes asking: `object_as` can not wait. Raises ApiError."""
        if not self.forms.takes_asking(self.kind, kind):
            return
        for obj in (self.obj, self.old):
            if type(obj) is self.kind.type and (id(obj), kind) not in self._asked:
                # With the object itself, so that its id stays its own.
                self._asked[id(obj), kind] = (obj, await self.forms.ask_converted(obj, kind))

    def object_as(self, kind: Kind) -> bytes | None:
        """The new object as a document of an equivalent kind."""
        return self._document(self.obj, kind)

    def old_object_as(self, kind: Kind) -> bytes | None:
        return self._document(self.old, kind)

    def _document(self, obj: Any, kind: Kind) -> bytes | None:
        if obj is None:
            return None
        body = self.body(kind)
        if type(obj) is self.kind.type:
            asked = self._asked.get((id(obj), kind))
            obj = self.forms.convert(obj, self.kind, kind) if asked is None else asked[1]
        opening = f'{{"kind":"{body.name}","apiVersion":"{body.api_version}"'.encode()
        fields = _bare(obj)
        return opening + (b"}" if fields == b"{}" else b"," + fields[1:])

    def request_as(self, kind: Kind) -> dict[str, Any]:
        """What the request is about, beside its objects: the same for webhooks and for expressions."""
        req, subresource = self.req, self.req.subresource
        named: dict[str, Any] = {
            "kind": self.body(kind).tree,
            "resource": _resource(kind),
            "subResource": subresource,
            "requestKind": self.body().tree,
            "requestResource": _resource(req.kind),
            "requestSubResource": subresource,
            "name": self.name,
            "namespace": self.namespace,
        }
        connects = self.operation is Operation.CONNECT
        return _given(named) | {
            "operation": self.operation.value,
            "userInfo": _given(req.user._asdict() | {"username": req.user.name, "name": ""}),
            "dryRun": req.dry_run,
            "options": None if connects else req.options.document(self.operation.value, req.dry_run),
        }

    async def become(self, document: dict[str, JSON], kind: Kind) -> None:
        """Take a changed document, of an equivalent kind, for the object. Raises ApiError."""
        own = type(self.obj) is self.kind.type
        obj = self.forms.remade(self.req, kind, kind.type if own else type(self.obj), document)
        if not own:
            self.obj = obj
        elif self.forms.takes_asking(kind, self.kind):
            self.obj = await self.forms.ask_converted(obj, self.kind)
            self._asked[id(self.obj), kind] = (self.obj, obj)
        else:
            self.obj = self.forms.convert(obj, kind, self.kind)

    def object_labels(self) -> Mapping[str, str] | None:
        return _labels(self.obj)

    def old_labels(self) -> Mapping[str, str] | None:
        return _labels(self.old)


def _resource(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def _given(tree: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {key: value for key, value in tree.items() if value}


def _bare(obj: Any) -> bytes:
    """Encoded without kind and version, which custom resources and bodies of subresources carry."""
    if obj.kind or obj.api_version:
        obj = msgspec.structs.replace(obj, kind="", api_version="")
    return encode_object(obj)


def _labels(obj: Any) -> Mapping[str, str] | None:
    """None: there is no such object, or it is one without metadata."""
    metadata = getattr(obj, "metadata", None)
    return metadata.labels if metadata is not None else None
