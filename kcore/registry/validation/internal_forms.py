"""Parts of definitions as Go prints their internal form in an error: field names in capitals, nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
    JSONSchemaProps,
    ValidationRule,
)

__all__ = ["internal_rule", "internal_schema", "internal_version"]


def internal_rule(rule: ValidationRule) -> msgspec.Raw:
    return _shown(_rule(rule))


def internal_schema(s: JSONSchemaProps) -> msgspec.Raw:
    return _shown(_schema(s))


def internal_version(version: CustomResourceDefinitionVersion, shared: frozenset[str]) -> msgspec.Raw:
    """`shared`: which parts all versions have alike; those stand above them."""

    def own(name: str, make: Callable[[], Any]) -> Any:
        return None if name in shared else make()

    root = version.schema.open_apiv3_schema if version.schema is not None else None
    return _shown(
        {
            "Name": version.name,
            "Served": version.served,
            "Storage": version.storage,
            "Deprecated": version.deprecated,
            "DeprecationWarning": version.deprecation_warning,
            "Schema": own("schema", lambda: {"OpenAPIV3Schema": _or_null(_schema, root)}),
            "Subresources": own("subresources", lambda: _or_null(_subresources, version.subresources)),
            "AdditionalPrinterColumns": own(
                "columns", lambda: [_column(column) for column in version.additional_printer_columns] or None
            ),
            "SelectableFields": own(
                "fields", lambda: [{"JSONPath": field.json_path} for field in version.selectable_fields] or None
            ),
        }
    )


def _shown(form: Any) -> msgspec.Raw:
    text = msgspec.json.encode(form)
    for byte, escape in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
        text = text.replace(byte, escape)
    return msgspec.Raw(text)


def _or_null(make: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else make(value)


def _subresources(below: CustomResourceSubresources) -> Mapping[str, Any]:
    scale = below.scale and {
        "SpecReplicasPath": below.scale.spec_replicas_path,
        "StatusReplicasPath": below.scale.status_replicas_path,
        "LabelSelectorPath": below.scale.label_selector_path,
    }
    return {"Status": None if below.status is None else {}, "Scale": scale}


def _column(column: CustomResourceColumnDefinition) -> Mapping[str, Any]:
    return {
        "Name": column.name,
        "Type": column.type,
        "Format": column.format,
        "Description": column.description,
        "Priority": column.priority,
        "JSONPath": column.json_path,
    }


def _rule(rule: ValidationRule) -> Mapping[str, Any]:
    return {
        "Rule": rule.rule,
        "Message": rule.message,
        "MessageExpression": rule.message_expression,
        "Reason": rule.reason,
        "FieldPath": rule.field_path,
        "OptionalOldSelf": rule.optional_old_self,
    }


def _schemas(schemas: Mapping[str, JSONSchemaProps]) -> Any:
    return {name: _schema(each) for name, each in sorted(schemas.items())} or None


def _or_bool(below: JSONSchemaProps | bool | None) -> Any:
    if below is None:
        return None
    schema = below if isinstance(below, JSONSchemaProps) else None
    return {"Allows": bool(below) if schema is None else True, "Schema": _or_null(_schema, schema)}


def _items(items: Any) -> Any:
    if items is None:
        return None
    single = items if isinstance(items, JSONSchemaProps) else None
    several = None if single is not None else [_schema(each) for each in items]
    return {"Schema": _or_null(_schema, single), "JSONSchemas": several}


def _schema(s: JSONSchemaProps) -> Mapping[str, Any]:
    docs = s.external_docs and {"Description": s.external_docs.description, "URL": s.external_docs.url}
    return {
        "ID": s.id,
        "Schema": s.schema,
        "Ref": s.ref or None,
        "Description": s.description,
        "Type": s.type,
        "Nullable": s.nullable,
        "Format": s.format,
        "Title": s.title,
        "Maximum": s.maximum,
        "ExclusiveMaximum": s.exclusive_maximum,
        "Minimum": s.minimum,
        "ExclusiveMinimum": s.exclusive_minimum,
        "MaxLength": s.max_length,
        "MinLength": s.min_length,
        "Pattern": s.pattern,
        "MaxItems": s.max_items,
        "MinItems": s.min_items,
        "UniqueItems": s.unique_items,
        "MultipleOf": s.multiple_of,
        "Enum": s.enum or None,
        "MaxProperties": s.max_properties,
        "MinProperties": s.min_properties,
        "Required": s.required or None,
        "Items": _items(s.items),
        "AllOf": [_schema(each) for each in s.all_of] or None,
        "OneOf": [_schema(each) for each in s.one_of] or None,
        "AnyOf": [_schema(each) for each in s.any_of] or None,
        "Not": _or_null(_schema, s.not_),
        "Properties": _schemas(s.properties),
        "AdditionalProperties": _or_bool(s.additional_properties),
        "PatternProperties": _schemas(s.pattern_properties),
        "Dependencies": s.dependencies or None,
        "AdditionalItems": _or_bool(s.additional_items),
        "Definitions": _schemas(s.definitions),
        "ExternalDocs": docs,
        "Example": s.example,
        "Default": s.default,
        "XPreserveUnknownFields": s.x_kubernetes_preserve_unknown_fields,
        "XEmbeddedResource": s.x_kubernetes_embedded_resource,
        "XIntOrString": s.x_kubernetes_int_or_string,
        "XListMapKeys": s.x_kubernetes_list_map_keys or None,
        "XListType": s.x_kubernetes_list_type,
        "XMapType": s.x_kubernetes_map_type,
        "XValidations": [_rule(rule) for rule in s.x_kubernetes_validations] or None,
    }
