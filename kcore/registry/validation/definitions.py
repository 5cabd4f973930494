"""CustomResourceDefinitions: names, versions, and what each version serves.

Upstream looks at a definition in its internal form, in which what all versions have alike stands above them: errors
name `spec.validation` where the client wrote `spec.versions[0].schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kcore.api import names
from kcore.api.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceConversion,
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
    JSONSchemaProps,
    SelectableField,
)
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_many
from kcore.registry.custom.field_paths import FieldPathError, field_path
from kcore.registry.validation.internal_forms import internal_version
from kcore.registry.validation.schemas import validate_schema
from kcore.registry.validation.webhooks import validate_client

__all__ = ["validate_definition", "validate_definition_update"]

_SPEC = Path("spec")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE_MAX = 8
_APPROVAL = "api-approved.kubernetes.io"


def validate_definition(obj: CustomResourceDefinition) -> Iterator[FieldError]:
    spec = obj.spec
    if obj.metadata.name != f"{spec.names.plural}.{spec.group}":
        yield invalid(Path("metadata") / "name", obj.metadata.name, 'must be spec.names.plural+"."+spec.group')
    yield from _errors(obj, approval=True)


def _errors(obj: CustomResourceDefinition, *, approval: bool) -> Iterator[FieldError]:
    spec = obj.spec
    yield from _spec_errors(obj)
    yield from _names_errors(obj.status.accepted_names, Path("status") / "acceptedNames")
    yield from _stored_version_errors(obj)
    if approval:
        yield from _approval_errors(obj)
    if spec.preserve_unknown_fields:
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield invalid(_SPEC / "preserveUnknownFields", True, why)


def validate_definition_update(new: CustomResourceDefinition, old: CustomResourceDefinition) -> Iterator[FieldError]:
    approved = old.metadata.annotations.get(_APPROVAL) == new.metadata.annotations.get(_APPROVAL)
    yield from _errors(new, approval=not approved)
    established = any(c.type == "Established" and c.status == "True" for c in old.status.conditions or ())
    names_ = _SPEC / "names"
    changes = [
        (_SPEC / "group", new.spec.group, old.spec.group),
        (names_ / "plural", new.spec.names.plural, old.spec.names.plural),
    ]
    if established:
        kind = (names_ / "kind", new.spec.names.kind, old.spec.names.kind)
        changes = [(_SPEC / "scope", new.spec.scope, old.spec.scope), kind, *changes]
    for path, after, before in changes:
        if after != before:
            yield invalid(path, after, "field is immutable")


# --- the spec ---


def _spec_errors(obj: CustomResourceDefinition) -> Iterator[FieldError]:
    spec = obj.spec
    yield from _group_errors(spec.group)
    if not spec.scope:
        yield required(_SPEC / "scope")
    elif spec.scope not in ("Cluster", "Namespaced"):
        yield not_supported(_SPEC / "scope", spec.scope, ("Cluster", "Namespaced"))
    versions, path = spec.versions, _SPEC / "versions"
    for i, version in enumerate(versions):
        if _schema_of(version) is None:
            yield required(path @ i / "schema" / "openAPIV3Schema")
    alike = _Alike(versions)
    for i, version in enumerate(versions):
        if words := names.dns1035_label(version.name):
            yield invalid(path @ i / "name", version.name, ",".join(words))
        yield from _deprecation_errors(version, path @ i)
        yield from _version_errors(version, path @ i, alike)
    shown = [internal_version(version, alike.parts) for version in versions]
    if len({version.name for version in versions}) != len(versions):
        yield invalid(path, shown, "must contain unique version names")
    if sum(version.storage for version in versions) != 1:
        yield invalid(path, shown, "must have exactly one version marked as storage version")
    if versions and (words := names.dns1035_label(versions[0].name)):
        yield invalid(_SPEC / "version", versions[0].name, ",".join(words))
    yield from _missing_names(spec.names, _SPEC / "names")
    yield from _names_errors(spec.names, _SPEC / "names")
    if versions:
        yield from _common_errors(versions, alike)
    if spec.conversion is not None:
        yield from _conversion_errors(spec.conversion, _SPEC / "conversion")


def _group_errors(group: str) -> Iterator[FieldError]:
    path = _SPEC / "group"
    if not group:
        yield required(path)
    elif words := names.dns1123_subdomain(group):
        yield invalid(path, group, ",".join(words))
    elif "." not in group:
        yield invalid(path, group, "should be a domain with at least one dot")


def _missing_names(given: CustomResourceDefinitionNames, path: Path) -> Iterator[FieldError]:
    for wire, value in (
        ("plural", given.plural),
        ("singular", given.singular),
        ("kind", given.kind),
        ("listKind", given.list_kind),
    ):
        if not value:
            yield required(path / wire)


def _names_errors(given: CustomResourceDefinitionNames, path: Path) -> Iterator[FieldError]:
    for wire, value in (("plural", given.plural), ("singular", given.singular)):
        if value and (words := names.dns1035_label(value)):
            yield invalid(path / wire, value, ",".join(words))
    for wire, value in (("kind", given.kind), ("listKind", given.list_kind)):
        if value and (words := names.dns1035_label(value.lower())):
            yield invalid(path / wire, value, f"may have mixed case, but should otherwise match: {','.join(words)}")
    yield from _label_errors(given.short_names, path / "shortNames")
    if given.kind and given.kind == given.list_kind:
        yield invalid(path / "listKind", given.list_kind, "kind and listKind may not be the same")
    yield from _label_errors(given.categories, path / "categories")


def _label_errors(values: Sequence[str], path: Path) -> Iterator[FieldError]:
    for i, value in enumerate(values):
        if words := names.dns1035_label(value):
            yield invalid(path @ i, value, ",".join(words))


def _deprecation_errors(version: CustomResourceDefinitionVersion, path: Path) -> Iterator[FieldError]:
    text = version.deprecation_warning
    if text is None:
        return
    path = path / "deprecationWarning"
    if not version.deprecated:
        yield invalid(path, text, "can only be set for deprecated versions")
        return
    if len(text.encode()) > 256:
        yield invalid(path, text, "must be <= 256 characters long")
    if not text:
        yield invalid(path, text, "must not be an empty string")
    odd = next((i for i, char in enumerate(text) if not char.isprintable()), None)
    if odd is not None:
        why = "must only contain printable UTF-8 characters; non-printable character found at index"
        yield invalid(path, text, f"{why} {len(text[:odd].encode())}")


# --- what versions may have alike ---


def _schema_of(version: CustomResourceDefinitionVersion) -> JSONSchemaProps | None:
    return version.schema.open_apiv3_schema if version.schema is not None else None


class _Alike:
    """Which parts all versions have alike."""

    def __init__(self, versions: Sequence[CustomResourceDefinitionVersion]) -> None:
        def same(read: Callable[[CustomResourceDefinitionVersion], Any]) -> bool:
            return all(read(version) == read(versions[0]) for version in versions)

        self.schema = same(lambda v: v.schema)
        self.subresources = same(lambda v: v.subresources)
        self.columns = same(lambda v: v.additional_printer_columns)
        self.fields = same(lambda v: v.selectable_fields)
        self.parts = frozenset(part for part in ("schema", "subresources", "columns", "fields") if getattr(self, part))


def _version_errors(version: CustomResourceDefinitionVersion, path: Path, alike: _Alike) -> Iterator[FieldError]:
    """What this version has unlike the others."""
    schema = _schema_of(version)
    if not alike.schema and schema is not None:
        yield from validate_schema(schema, path / "schema" / "openAPIV3Schema", has_status=_has_status(version))
    if not alike.subresources:
        yield from _subresource_errors(version.subresources, path / "subresources")
    if not alike.columns:
        yield from _column_errors(version.additional_printer_columns, path / "additionalPrinterColumns")
    if not alike.fields:
        yield from _selectable_errors(version.selectable_fields, schema, path / "selectableFields")


def _common_errors(versions: Sequence[CustomResourceDefinitionVersion], alike: _Alike) -> Iterator[FieldError]:
    version = versions[0]
    schema = _schema_of(version)
    if alike.schema and schema is not None:
        path = _SPEC / "validation" / "openAPIV3Schema"
        yield from validate_schema(schema, path, has_status=any(map(_has_status, versions)))
    if alike.subresources:
        yield from _subresource_errors(version.subresources, _SPEC / "subresources")
    if alike.columns:
        yield from _column_errors(version.additional_printer_columns, _SPEC / "additionalPrinterColumns")
    if alike.fields:
        yield from _selectable_errors(version.selectable_fields, schema, _SPEC / "selectableFields")


def _has_status(version: CustomResourceDefinitionVersion) -> bool:
    return version.subresources is not None and version.subresources.status is not None


def _subresource_errors(below: CustomResourceSubresources | None, path: Path) -> Iterator[FieldError]:
    scale = below.scale if below is not None else None
    if scale is None:
        return
    path = path / "scale"
    for wire, value, root in (
        ("specReplicasPath", scale.spec_replicas_path, ".spec"),
        ("statusReplicasPath", scale.status_replicas_path, ".status"),
    ):
        if not value:
            yield required(path / wire)
        elif not value.startswith("."):
            yield invalid(path / wire, value, "must be a simple json path starting with .")
        elif not value.startswith(f"{root}."):
            yield invalid(path / wire, value, f"should be a json path under {root}")
    selector = scale.label_selector_path
    if selector:
        if not selector.startswith("."):
            yield invalid(path / "labelSelectorPath", selector, "must be a simple json path starting with .")
        elif not selector.startswith((".spec.", ".status.")):
            why = "should be a json path under either .spec or .status"
            yield invalid(path / "labelSelectorPath", selector, why)


def _column_errors(columns: Sequence[CustomResourceColumnDefinition], path: Path) -> Iterator[FieldError]:
    for i, column in enumerate(columns):
        at = path @ i
        if not column.name:
            yield required(at / "name")
        if not column.type:
            yield required(at / "type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif column.type not in _COLUMN_TYPES:
            yield invalid(at / "type", column.type, f"must be one of {','.join(_COLUMN_TYPES)}")
        if column.format and column.format not in _COLUMN_FORMATS:
            yield invalid(at / "format", column.format, f"must be one of {','.join(_COLUMN_FORMATS)}")
        if not column.json_path:
            yield required(at / "JSONPath")
        elif not column.json_path.startswith("."):
            yield invalid(at / "JSONPath", column.json_path, "must be a simple json path starting with .")


def _selectable_errors(
    fields: Sequence[SelectableField], schema: JSONSchemaProps | None, path: Path
) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, field in enumerate(fields):
        at, value = path @ i / "jsonPath", field.json_path
        if not value:
            yield required(at)
            continue
        try:
            leads, found = field_path(value, schema or JSONSchemaProps(), brackets=False)
        except FieldPathError as e:
            yield invalid(at, value, f"is an invalid path: {e}")
            continue
        if leads.partition(".")[0] == "metadata":
            yield invalid(at, value, "must not point to fields in metadata")
        if found.type not in ("string", "boolean", "integer"):
            why = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield invalid(at, value, why)
        if leads in seen:
            yield duplicate(at, value)
        seen.add(leads)
    if len(seen) > _SELECTABLE_MAX:
        yield too_many(path, len(seen), _SELECTABLE_MAX)


def _conversion_errors(conversion: CustomResourceConversion, path: Path) -> Iterator[FieldError]:
    webhook = conversion.webhook
    if not conversion.strategy:
        yield required(path / "strategy")
    elif conversion.strategy not in ("None", "Webhook"):
        yield not_supported(path / "strategy", conversion.strategy, ("None", "Webhook"))
    if conversion.strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if webhook is not None and webhook.client_config is not None:
            yield forbidden(path / "webhookClientConfig", why)
        if webhook is not None and webhook.conversion_review_versions:
            yield forbidden(path / "conversionReviewVersions", why)
        return
    config = webhook.client_config if webhook is not None else None
    if config is None:
        yield required(path / "webhookClientConfig", "required when strategy is set to Webhook")
    else:
        yield from validate_client(config, path / "webhookClientConfig")
    yield from _review_errors(webhook.conversion_review_versions if webhook else (), path / "conversionReviewVersions")


def _review_errors(versions: Sequence[str], path: Path) -> Iterator[FieldError]:
    if not versions:
        yield required(path)
        return
    for i, version in enumerate(versions):
        if version in versions[:i]:
            yield invalid(path @ i, version, "duplicate version")
        else:
            yield from (invalid(path @ i, version, why) for why in names.dns1035_label(version))
    if not {"v1", "v1beta1"} & {*versions}:
        yield invalid(path, versions, "must include at least one of v1, v1beta1")


# --- beyond the spec ---


def _stored_version_errors(obj: CustomResourceDefinition) -> Iterator[FieldError]:
    path = Path("status") / "storedVersions"
    stored = obj.status.stored_versions
    if not stored:
        yield invalid(path, None, "must have at least one stored version")
        return
    for version in obj.spec.versions:
        if version.storage and version.name not in stored:
            yield invalid(path, stored, f"must have the storage version {version.name}")
    known = {version.name for version in obj.spec.versions}
    for i, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid(path @ i, name, why)


def _is_protected(group: str) -> bool:
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def _approval_errors(obj: CustomResourceDefinition) -> Iterator[FieldError]:
    """Groups of the Kubernetes project itself need the approval of its reviewers (KEP-1111)."""
    if not _is_protected(obj.spec.group):
        return
    path = (Path("metadata") / "annotations").key(_APPROVAL)
    value = obj.metadata.annotations.get(_APPROVAL)
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not value:
        yield required(path, f'protected groups must have approval annotation "{_APPROVAL}", {see}')
    elif not value.startswith(("unapproved", "https://", "http://")):
        why = (
            'protected groups must have approval annotation "' + _APPROVAL + '" with either a URL or a reason starting '
        )
        yield invalid(path, value, f'{why}with "unapproved", {see}')
