"""The types of apiextensions/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import (
    JSON,
    LIST_ATOMIC,
    Base64,
    Int32,
    Int64,
    ListMap,
    Patch,
    Struct,
    Time,
    empty,
    empty_tuple,
    false,
    null,
)


class CustomResourceColumnDefinition(Struct):
    name: str = field(default_factory=empty)
    type: str = field(default_factory=empty)
    description: str = ""
    format: str = ""
    json_path: str = field(default_factory=empty)
    priority: Int32 = 0


class ServiceReference(Struct):
    name: str = field(default_factory=empty)
    namespace: str = field(default_factory=empty)
    path: str | None = None
    port: Int32 | None = None


class WebhookClientConfig(Struct):
    ca_bundle: Base64 = ""
    service: ServiceReference | None = None
    url: str | None = None


class WebhookConversion(Struct):
    client_config: WebhookClientConfig | None = None
    conversion_review_versions: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class CustomResourceConversion(Struct):
    strategy: str = field(default_factory=empty)
    webhook: WebhookConversion | None = None


class CustomResourceDefinitionNames(Struct):
    categories: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    kind: str = field(default_factory=empty)
    list_kind: str = ""
    plural: str = field(default_factory=empty)
    short_names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    singular: str = ""


class CustomResourceSubresourceScale(Struct):
    label_selector_path: str | None = None
    spec_replicas_path: str = field(default_factory=empty)
    status_replicas_path: str = field(default_factory=empty)


class CustomResourceSubresourceStatus(Struct):
    pass


class CustomResourceSubresources(Struct):
    scale: CustomResourceSubresourceScale | None = None
    status: CustomResourceSubresourceStatus | None = None


class ExternalDocumentation(Struct):
    description: str = ""
    url: str = ""


class ValidationRule(Struct):
    field_path: str = ""
    message: str = ""
    message_expression: str = ""
    optional_old_self: bool | None = None
    reason: str | None = None
    rule: str = field(default_factory=empty)


class JSONSchemaProps(Struct):
    type: str = ""
    ref: str = field(default="", name="$ref")
    schema: str = field(default="", name="$schema")
    additional_items: "JSONSchemaProps | bool | None" = None
    additional_properties: "JSONSchemaProps | bool | None" = None
    all_of: "Annotated[tuple[JSONSchemaProps, ...], LIST_ATOMIC]" = ()
    any_of: "Annotated[tuple[JSONSchemaProps, ...], LIST_ATOMIC]" = ()
    default: JSON = None
    definitions: "Mapping[str, JSONSchemaProps]" = {}
    dependencies: "Mapping[str, JSONSchemaProps | tuple[str, ...]]" = {}
    description: str = ""
    enum: Annotated[tuple[JSON, ...], LIST_ATOMIC] = ()
    example: JSON = None
    exclusive_maximum: bool = False
    exclusive_minimum: bool = False
    external_docs: ExternalDocumentation | None = None
    format: str = ""
    id: str = ""
    items: "JSONSchemaProps | tuple[JSONSchemaProps, ...] | None" = None
    max_items: Int64 | None = None
    max_length: Int64 | None = None
    max_properties: Int64 | None = None
    maximum: float | None = None
    min_items: Int64 | None = None
    min_length: Int64 | None = None
    min_properties: Int64 | None = None
    minimum: float | None = None
    multiple_of: float | None = None
    not_: "JSONSchemaProps | None" = field(default=None, name="not")
    nullable: bool = False
    one_of: "Annotated[tuple[JSONSchemaProps, ...], LIST_ATOMIC]" = ()
    pattern: str = ""
    pattern_properties: "Mapping[str, JSONSchemaProps]" = {}
    properties: "Mapping[str, JSONSchemaProps]" = {}
    required: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    title: str = ""
    unique_items: bool = False
    x_kubernetes_embedded_resource: bool = field(default=False, name="x-kubernetes-embedded-resource")
    x_kubernetes_int_or_string: bool = field(default=False, name="x-kubernetes-int-or-string")
    x_kubernetes_list_map_keys: Annotated[tuple[str, ...], LIST_ATOMIC] = field(
        default=(), name="x-kubernetes-list-map-keys"
    )
    x_kubernetes_list_type: str | None = field(default=None, name="x-kubernetes-list-type")
    x_kubernetes_map_type: str | None = field(default=None, name="x-kubernetes-map-type")
    x_kubernetes_preserve_unknown_fields: bool | None = field(default=None, name="x-kubernetes-preserve-unknown-fields")
    x_kubernetes_validations: Annotated[tuple[ValidationRule, ...], ListMap("rule"), Patch("merge", key="rule")] = (
        field(default=(), name="x-kubernetes-validations")
    )


class CustomResourceValidation(Struct):
    open_apiv3_schema: JSONSchemaProps | None = field(default=None, name="openAPIV3Schema")


class SelectableField(Struct):
    json_path: str = field(default_factory=empty)


class CustomResourceDefinitionVersion(Struct):
    name: str = field(default_factory=empty)
    additional_printer_columns: Annotated[tuple[CustomResourceColumnDefinition, ...], LIST_ATOMIC] = ()
    deprecated: bool = False
    deprecation_warning: str | None = None
    schema: CustomResourceValidation | None = None
    selectable_fields: Annotated[tuple[SelectableField, ...], LIST_ATOMIC] = ()
    served: bool = field(default_factory=false)
    storage: bool = field(default_factory=false)
    subresources: CustomResourceSubresources | None = None


class CustomResourceDefinitionSpec(Struct):
    conversion: CustomResourceConversion | None = None
    group: str = field(default_factory=empty)
    names: CustomResourceDefinitionNames = field(default_factory=CustomResourceDefinitionNames)
    preserve_unknown_fields: bool = False
    scope: str = field(default_factory=empty)
    versions: Annotated[tuple[CustomResourceDefinitionVersion, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class CustomResourceDefinitionCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    observed_generation: Int64 = 0
    reason: str = ""
    status: str = field(default_factory=empty)


class CustomResourceDefinitionStatus(Struct):
    accepted_names: CustomResourceDefinitionNames = field(default_factory=CustomResourceDefinitionNames)
    conditions: Annotated[tuple[CustomResourceDefinitionCondition, ...] | None, ListMap("type")] = field(
        default_factory=null
    )
    observed_generation: Int64 = 0
    stored_versions: Annotated[tuple[str, ...] | None, LIST_ATOMIC] = field(default_factory=null)


class CustomResourceDefinition(Object):
    spec: CustomResourceDefinitionSpec = field(default_factory=CustomResourceDefinitionSpec)
    status: CustomResourceDefinitionStatus = field(default_factory=CustomResourceDefinitionStatus)
