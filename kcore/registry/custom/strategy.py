"""The strategy of custom resources: what their definition's schema demands, done in upstream's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kcore.api.apiextensions_v1 import CustomResourceDefinitionVersion, JSONSchemaProps
from kcore.api.errors import BadRequest, InternalError, Invalid, MethodNotAllowed
from kcore.api.field import FieldError, Path, invalid
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusDetails
from kcore.api.object import CustomResource
from kcore.api.schema import fill
from kcore.registry.custom.conversion import WebhookConverter
from kcore.registry.custom.defaulting import apply_defaults
from kcore.registry.custom.embedded import EmbeddedMetadataError, coerce_embedded, embedded_errors, list_errors
from kcore.registry.custom.json_path import lookup, simple_path
from kcore.registry.custom.pruning import drop_nulls, prune
from kcore.registry.custom.scale_rules import scale_errors
from kcore.registry.custom.schema import Schema, compile_schema
from kcore.registry.custom.validation import ABSENT, validate
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategy
from kcore.store.store import Record

if TYPE_CHECKING:
    from kcore.registry.custom.rules import RuleTree

__all__ = ["CustomResourceStrategy", "storage_version", "version_of"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_ROOT = ("apiVersion", "kind", "metadata")
_SHAPE_BYTES_MAX = 8192
_BLOCKING = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)


def version_of(kind: Kind) -> CustomResourceDefinitionVersion:
    """The part of its definition that a custom kind comes from."""
    assert kind.definition is not None
    return next(v for v in kind.definition.spec.versions if v.name == kind.version)


def storage_version(kind: Kind) -> CustomResourceDefinitionVersion:
    assert kind.definition is not None
    return next(v for v in kind.definition.spec.versions if v.storage)


def _schema_of(version: CustomResourceDefinitionVersion) -> Schema:
    props = version.schema.open_apiv3_schema if version.schema is not None else None
    return compile_schema(props) if props is not None else Schema(preserve=True)


def _rules_of(props: JSONSchemaProps) -> RuleTree | None:
    from kcore.registry.custom.rules import rule_tree  # CEL takes a while, and most definitions have no rules

    return rule_tree(props)


def _read_field(names: Sequence[str], obj: CustomResource) -> str:
    value = lookup(obj.content, names)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class CustomResourceStrategy(Strategy):
    """One for each served version of a definition; made when the definition is served, not in a request."""

    type = CustomResource
    unconditional_update = False

    def __init__(self, kind: Kind, env: Environment) -> None:
        super().__init__(kind, env)
        assert kind.definition is not None
        self._version, self._storage = version_of(kind), storage_version(kind)
        self._schema = _schema_of(self._version)
        self._kept = _schema_of(self._storage)
        self._stored_version = f"{kind.group}/{self._storage.name}"
        self._converter: WebhookConverter | None = None
        props = self._version.schema.open_apiv3_schema if self._version.schema is not None else None
        self._rules = _rules_of(props) if props is not None and self._schema.has_rules else None
        self._asks_for_names = self._rules is not None and bool(self._rules.root.rules)
        origin = kind.definition.metadata
        self._prefix = _encode((origin.uid, origin.generation, kind.version))
        self._has_status = kind.subresource("status") is not None
        self._sees_metadata = bool({*self._schema.properties, *self._schema.required} & {*_ROOT})
        conversion = kind.definition.spec.conversion
        self.by_webhook = conversion is not None and conversion.strategy == "Webhook"
        fields: dict[str, Callable[[Any], str]] = {
            field.json_path[1:]: partial(_read_field, simple_path(field.json_path))
            for field in self._version.selectable_fields
        }
        self.selectable = fields  # type: ignore[misc]  # of this version alone

    # --- versions ---

    def stored_kind(self) -> Kind | None:
        """With several versions, any object may stand in another than this."""
        assert self.kind.definition is not None
        return self.kind if len(self.kind.definition.spec.versions) > 1 else None

    def to_stored(self, obj: Any) -> Any:
        return self._as_version(obj, self._stored_version, self._kept)

    def from_stored(self, obj: Any) -> Any:
        return self._as_version(obj, self.kind.api_version, self._schema)

    def _as_version(self, obj: CustomResource, api_version: str, schema: Schema) -> CustomResource:
        """Conversion None changes the version alone; then the other schema has its say."""
        if obj.api_version == api_version:
            return obj
        if self.by_webhook:
            raise InternalError.because(
                f"{self.kind.group_resource} are converted by a webhook, which cannot be asked here"
            )
        content = _decode(_encode(obj.content))
        prune(content, schema, [], root=True)
        apply_defaults(content, schema)
        return msgspec.structs.replace(obj, api_version=api_version, content=content)

    async def stored(self, obj: CustomResource) -> CustomResource:
        """The object as it is kept. Raises ApiError."""
        if not self.by_webhook or obj.api_version == self._stored_version:
            return self.to_stored(obj)  # type: ignore[no-any-return]
        return (await self._by_webhook((obj,), self._stored_version, self._kept))[0]

    async def converted(self, objects: Sequence[CustomResource]) -> Sequence[CustomResource]:
        """Kept objects, all of one other version, in this one, by the webhook. Raises ApiError."""
        return await self._by_webhook(objects, self.kind.api_version, self._schema)

    async def _by_webhook(
        self, objects: Sequence[CustomResource], api_version: str, schema: Schema
    ) -> Sequence[CustomResource]:
        if self._converter is None:
            self._converter = WebhookConverter(self.kind, self.env.webhooks, self.env.chance)
        found = await self._converter.convert(objects, api_version)
        for obj in found:
            prune(obj.content, schema, [], root=True)
            apply_defaults(obj.content, schema)
        return found

    def rewrites(self, record: Record) -> bool:
        standing = self.env.store.head(record.key)
        return standing is not None and standing.obj.api_version != self._stored_version

    # --- requests ---

    def receive(self, req: Request, obj: Any) -> None:
        definition = self.kind.definition
        if req.verb == "create" and definition is not None and definition.metadata.deletion_timestamp is not None:
            raise MethodNotAllowed(
                f'create is not supported on resources of kind "{self.kind.group_resource}"',
                StatusDetails(group=self.kind.group, kind=self.kind.plural),
            )
        content = obj.content
        sent = _encode(content) if req.verb == "patch" and req.field_validation == "Strict" else b""
        unknown: list[str] = []
        embedded: list[str] = []
        try:
            coerce_embedded(content, self._schema, embedded)
        except EmbeddedMetadataError as e:
            raise self._unhandled(str(e)) from None
        prune(content, self._schema, unknown, root=True)
        if req.field_validation != "Ignore":
            self._report(req, obj, [f'unknown field "{path}"' for path in (*sorted(unknown), *embedded)], sent)
        apply_defaults(content, self._schema)
        if b"null" in _encode(content):
            drop_nulls(content, self._schema)
        fill(obj, api_version=self.kind.api_version)

    def _report(self, req: Request, obj: CustomResource, findings: Sequence[str], sent: bytes) -> None:
        """What the schema does not know, and before it what was found as the object was read."""
        findings = [*req.findings, *findings]
        if not findings:
            return
        if req.field_validation != "Strict":
            req.warnings.extend(findings)
            return
        why = f"strict decoding error: {', '.join(findings)}"
        if req.verb != "patch":
            raise self._unhandled(why)
        shown = _encode({"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": obj.metadata})
        raise Invalid.named("", "", "", [invalid(Path("patch"), f"{shown[:-1].decode()},{sent[1:].decode()}", why)])

    def _unhandled(self, why: str) -> BadRequest:
        name = self.kind.name
        return BadRequest(f'{name} in version "{self.kind.version}" cannot be handled as a {name}: {why}')

    def prepare_for_create(self, req: Request, obj: Any) -> None:
        if self._has_status:
            fill(obj, content={key: value for key, value in obj.content.items() if key != "status"})
        fill(obj.metadata, generation=1)

    def prepare_for_update(self, req: Request, new: Any, old: Any) -> None:
        if self._has_status:
            fill(new, content=_with_status(new.content, old.content))
        if new.content != old.content:
            fill(new.metadata, generation=old.metadata.generation + 1)

    def prepare_for_status_update(self, req: Request, new: Any, old: Any) -> None:
        metadata = msgspec.structs.replace(old.metadata, managed_fields=new.metadata.managed_fields)
        fill(new, content=_with_status(old.content, new.content), metadata=metadata)

    # --- rules ---

    def shape(self, obj: Any) -> bytes | None:
        """Objects from one source look alike. Rules may ask for the name."""
        if self._sees_metadata or self._asks_for_names:
            return None
        content = _encode(obj.content)
        return self._prefix + content if len(content) <= _SHAPE_BYTES_MAX else None

    def validate(self, req: Request, obj: Any) -> Sequence[FieldError]:
        return self._errors(req, obj, None)

    def validate_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        return self._errors(req, new, old)

    def _errors(self, req: Request, obj: CustomResource, old: CustomResource | None) -> Sequence[FieldError]:
        tree, before = self._document(obj), self._document(old) if old is not None else ABSENT
        errors = validate(tree, self._schema, old=before)
        errors += scale_errors(self._version, obj.content)
        errors += embedded_errors(tree, self._schema)
        errors += self._list_errors(tree, before)
        return self._with_rules(req, errors, obj, old)

    def _list_errors(self, tree: Any, before: Any) -> Sequence[FieldError]:
        """What was wrong before is left alone."""
        found = [*list_errors(tree, self._schema)]
        return () if found and before is not ABSENT and any(list_errors(before, self._schema)) else found

    def _with_rules(
        self, req: Request, errors: list[FieldError], obj: CustomResource, old: CustomResource | None
    ) -> Sequence[FieldError]:
        """The errors, and those of rules, which only an object of the right shape can be asked."""
        if self._rules is None:
            return errors
        if any(error.type in _BLOCKING for error in errors):
            why = (
                "some validation rules were not checked because the object was invalid; "
                "correct the existing errors to complete validation"
            )
            return [*errors, invalid(Path("<nil>"), None, why)]
        before = self._self_of(old) if old is not None else ABSENT
        return [*errors, *self._rules.check(self._self_of(obj), before, req.warnings)]

    def _self_of(self, obj: CustomResource) -> dict[str, Any]:
        """The object as its rules see it: its kind and name are always there."""
        names = {"name": obj.metadata.name, "generateName": obj.metadata.generate_name}
        metadata = {key: value for key, value in names.items() if value}
        return {"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": metadata, **obj.content}

    def _document(self, obj: CustomResource) -> dict[str, Any]:
        """The object as its schema sees it."""
        if not self._sees_metadata:
            return obj.content  # type: ignore[return-value]  # only read
        names = {"apiVersion": self.kind.api_version, "kind": self.kind.name}
        return {**names, "metadata": _decode(_encode(obj.metadata)), **obj.content}

    def validate_status_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        schema = self._schema.properties.get("status")
        errors: list[FieldError] = []
        if schema is not None and "status" in new.content:
            errors += validate(new.content["status"], schema, base="status", old=old.content.get("status", ABSENT))
        errors += scale_errors(self._version, new.content, status=True)
        errors += self._list_errors(new.content, old.content)
        return self._with_rules(req, errors, new, old)


def _with_status(content: Any, status_from: Any) -> dict[str, Any]:
    found = {key: value for key, value in content.items() if key != "status"}
    if "status" in status_from:
        found["status"] = status_from["status"]
    return found
