"""CustomResourceDefinitions: names, versions, and what each version serves.

Upstream looks at a definition in its internal form, in which what all versions have alike stands above them: errors
name `spec.validation` where the client wrote `spec.versions[0].schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

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
from kcore.api.field import FieldError, Path, duplicate, invalid, not_supported, required
from kcore.registry.custom.json_path import is_simple, simple_path
from kcore.registry.validation.structural_schemas import validate_schema

__all__ = ["validate_definition", "validate_definition_update"]

_SPEC = Path("spec")
_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_COLUMN_FORMATS = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
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
    changes = [(_SPEC / "group", new.spec.group, old.spec.group)]
    if established:
        changes.append((_SPEC / "scope", new.spec.scope, old.spec.scope))
        changes.append((_SPEC / "names" / "kind", new.spec.names.kind, old.spec.names.kind))
        changes.append((_SPEC / "names" / "plural", new.spec.names.plural, old.spec.names.plural))
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
        if version.served and _schema_of(version) is None:
            yield required(path @ i / "schema" / "openAPIV3Schema")
    alike = _Alike(versions)
    for i, version in enumerate(versions):
        if words := names.dns1035_label(version.name):
            yield invalid(path @ i / "name", version.name, ",".join(words))
        yield from _deprecation_errors(version, path @ i)
        yield from _version_errors(version, path @ i, alike)
    shown = [_internal(version, alike) for version in versions]
    if len({version.name for version in versions}) != len(versions):
        yield invalid(path, shown, "must contain unique version names")
    if sum(version.storage for version in versions) != 1:
        yield invalid(path, shown, "must have exactly one version marked as storage version")
    if versions and (words := names.dns1035_label(versions[0].name)):
        yield invalid(_SPEC / "version", versions[0].name, ",".join(words))
    yield from _names_errors(spec.names, _SPEC / "names")
    if versions:
        yield from _common_errors(versions[0], alike)
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


def _names_errors(given: CustomResourceDefinitionNames, path: Path) -> Iterator[FieldError]:
    for wire, value in (
        ("plural", given.plural),
        ("singular", given.singular),
        ("kind", given.kind),
        ("listKind", given.list_kind),
    ):
        if not value:
            yield required(path / wire)
    for wire, value in (("plural", given.plural), ("singular", given.singular)):
        if value and (words := names.dns1035_label(value)):
            yield invalid(path / wire, value, ",".join(words))
    for wire, value in (("kind", given.kind), ("listKind", given.list_kind)):
        if value and (words := names.dns1035_label(value.lower())):
            yield invalid(path / wire, value, f"may have mixed case, but should otherwise match: {','.join(words)}")
    for wire, values in (("shortNames", given.short_names), ("categories", given.categories)):
        for i, value in enumerate(values):
            if words := names.dns1035_label(value):
                yield invalid(path / wire @ i, value, ",".join(words))
    if given.kind and given.kind == given.list_kind:
        yield invalid(path / "listKind", given.list_kind, "kind and listKind may not be the same")


def _deprecation_errors(version: CustomResourceDefinitionVersion, path: Path) -> Iterator[FieldError]:
    text = version.deprecation_warning
    if text is None:
        return
    path = path / "deprecationWarning"
    if not version.deprecated:
        yield invalid(path, text, "can only be set for deprecated versions")
    if len(text.encode()) > 256:
        yield invalid(path, text, "must be <= 256 bytes")
    if not text.strip():
        yield invalid(path, text, "must not be empty")
    elif not text.isprintable():
        yield invalid(path, text, "must only contain printable UTF-8 characters; non-printable character found")


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


def _version_errors(version: CustomResourceDefinitionVersion, path: Path, alike: _Alike) -> Iterator[FieldError]:
    """What this version has unlike the others."""
    schema = _schema_of(version)
    if not alike.schema and schema is not None:
        yield from validate_schema(schema, path / "schema" / "openAPIV3Schema")
    if not alike.subresources:
        yield from _subresource_errors(version.subresources, path / "subresources")
    if not alike.columns:
        yield from _column_errors(version.additional_printer_columns, path / "additionalPrinterColumns")
    if not alike.fields:
        yield from _selectable_errors(version.selectable_fields, schema, path / "selectableFields")


def _common_errors(version: CustomResourceDefinitionVersion, alike: _Alike) -> Iterator[FieldError]:
    schema = _schema_of(version)
    if alike.schema and schema is not None:
        yield from validate_schema(schema, _SPEC / "validation" / "openAPIV3Schema")
    if alike.subresources:
        yield from _subresource_errors(version.subresources, _SPEC / "subresources")
    if alike.columns:
        yield from _column_errors(version.additional_printer_columns, _SPEC / "additionalPrinterColumns")
    if alike.fields:
        yield from _selectable_errors(version.selectable_fields, schema, _SPEC / "selectableFields")


def _internal(version: CustomResourceDefinitionVersion, alike: _Alike) -> msgspec.Raw:
    """A version as Go prints its internal form in an error."""
    shown = {
        "Name": version.name,
        "Served": version.served,
        "Storage": version.storage,
        "Deprecated": version.deprecated,
        "DeprecationWarning": version.deprecation_warning,
        "Schema": None if alike.schema else version.schema,
        "Subresources": None if alike.subresources else version.subresources,
        "AdditionalPrinterColumns": None if alike.columns else version.additional_printer_columns,
        "SelectableFields": None if alike.fields else version.selectable_fields,
    }
    return msgspec.Raw(msgspec.json.encode(shown))


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
        elif not is_simple(value):
            yield invalid(path / wire, value, "must be a simple json path starting with .")
        elif not value.startswith(f"{root}."):
            yield invalid(path / wire, value, f"should be a json path under {root}")
    selector = scale.label_selector_path
    if selector:
        if not is_simple(selector):
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
            yield required(at / "type", f"must be one of {', '.join(_COLUMN_TYPES)}")
        elif column.type not in _COLUMN_TYPES:
            yield invalid(at / "type", column.type, f"must be one of {', '.join(_COLUMN_TYPES)}")
        if column.format and column.format not in _COLUMN_FORMATS:
            yield invalid(at / "format", column.format, f"must be one of {', '.join(_COLUMN_FORMATS)}")
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
        if not is_simple(value):
            yield invalid(at, value, "is an invalid path: must be a simple json path starting with .")
            continue
        if value.startswith(".metadata.") or value == ".metadata" or (found := _at(schema, value)) is None:
            yield invalid(at, value, "is an invalid path: does not refer to a valid field")
        elif found.type not in ("string", "boolean", "integer"):
            why = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield invalid(at, value, why)
        if value in seen:
            yield duplicate(at, value)
        seen.add(value)
    if len(fields) > _SELECTABLE_MAX:
        yield FieldError("FieldValueTooMany", path.text, len(fields), f"must have at most {_SELECTABLE_MAX} items")


def _at(schema: JSONSchemaProps | None, path: str) -> JSONSchemaProps | None:
    for name in simple_path(path):
        if schema is None:
            return None
        schema = schema.properties.get(name)
    return schema


def _conversion_errors(conversion: CustomResourceConversion, path: Path) -> Iterator[FieldError]:
    webhook = conversion.webhook
    if not conversion.strategy:
        yield required(path / "strategy")
    elif conversion.strategy not in ("None", "Webhook"):
        yield not_supported(path / "strategy", conversion.strategy, ("None", "Webhook"))
    if conversion.strategy != "Webhook":
        if webhook is not None and webhook.client_config is not None:
            yield FieldError(
                "FieldValueForbidden",
                (path / "webhookClientConfig").text,
                None,
                "should not be set when strategy is not set to Webhook",
            )
        return
    config = webhook.client_config if webhook is not None else None
    if config is None:
        yield required(path / "webhookClientConfig", "required when strategy is set to Webhook")
    elif (config.url is None) == (config.service is None):
        yield required(path / "webhookClientConfig", "exactly one of url or service is required")
    if webhook is not None and not webhook.conversion_review_versions:
        yield required(path / "conversionReviewVersions")
    elif webhook is not None and not {"v1", "v1beta1"} & {*webhook.conversion_review_versions}:
        why = "must include at least one of v1, v1beta1"
        yield invalid(path / "conversionReviewVersions", webhook.conversion_review_versions, why)


# --- beyond the spec ---


def _stored_version_errors(obj: CustomResourceDefinition) -> Iterator[FieldError]:
    path = Path("status") / "storedVersions"
    stored = obj.status.stored_versions
    if not stored:
        yield invalid(path, None, "must have at least one stored version")
        return
    known = {version.name for version in obj.spec.versions}
    for i, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid(path @ i, name, why)
    marked = [version.name for version in obj.spec.versions if version.storage]
    for name in marked:
        if name not in stored:
            yield invalid(path, stored, f"must have the storage version {name}")


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
