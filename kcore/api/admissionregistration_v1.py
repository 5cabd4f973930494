"""The types of admissionregistration/v1."""

from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.meta_v1 import Condition, LabelSelector
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Base64,
    Int32,
    Int64,
    ListMap,
    Patch,
    Struct,
    empty,
    empty_tuple,
    null,
)


class ApplyConfiguration(Struct):
    expression: str = ""


class AuditAnnotation(Struct):
    key: str = field(default_factory=empty)
    value_expression: str = field(default_factory=empty)


class ExpressionWarning(Struct):
    field_ref: str = field(default_factory=empty)
    warning: str = field(default_factory=empty)


class JSONPatch(Struct):
    expression: str = ""


class MatchCondition(Struct):
    name: str = field(default_factory=empty)
    expression: str = field(default_factory=empty)


class NamedRuleWithOperations(Struct):
    __map_type__: ClassVar[str] = "atomic"

    api_groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    api_versions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    operations: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resource_names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resources: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    scope: str | None = None


class MatchResources(Struct):
    __map_type__: ClassVar[str] = "atomic"

    exclude_resource_rules: Annotated[tuple[NamedRuleWithOperations, ...], LIST_ATOMIC] = ()
    match_policy: str | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: Annotated[tuple[NamedRuleWithOperations, ...], LIST_ATOMIC] = ()


class Mutation(Struct):
    apply_configuration: ApplyConfiguration | None = None
    json_patch: JSONPatch | None = None
    patch_type: str = field(default_factory=empty)


class ParamKind(Struct):
    __map_type__: ClassVar[str] = "atomic"

    api_version: str = ""
    kind: str = ""


class Variable(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = field(default_factory=empty)
    expression: str = field(default_factory=empty)


class MutatingAdmissionPolicySpec(Struct):
    failure_policy: str | None = None
    match_conditions: Annotated[tuple[MatchCondition, ...], ListMap("name"), Patch("merge", key="name")] = ()
    match_constraints: MatchResources | None = None
    mutations: Annotated[tuple[Mutation, ...], LIST_ATOMIC] = ()
    param_kind: ParamKind | None = None
    reinvocation_policy: str | None = None
    variables: Annotated[tuple[Variable, ...], LIST_ATOMIC] = ()


class MutatingAdmissionPolicy(Object):
    spec: MutatingAdmissionPolicySpec = field(default_factory=MutatingAdmissionPolicySpec)


class ParamRef(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""
    namespace: str = ""
    parameter_not_found_action: str | None = None
    selector: LabelSelector | None = None


class MutatingAdmissionPolicyBindingSpec(Struct):
    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = ""


class MutatingAdmissionPolicyBinding(Object):
    spec: MutatingAdmissionPolicyBindingSpec = field(default_factory=MutatingAdmissionPolicyBindingSpec)


class RuleWithOperations(Struct):
    api_groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    api_versions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    operations: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resources: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    scope: str | None = None


class ServiceReference(Struct):
    name: str = field(default_factory=empty)
    namespace: str = field(default_factory=empty)
    path: str | None = None
    port: Int32 | None = None


class WebhookClientConfig(Struct):
    ca_bundle: Base64 = ""
    service: ServiceReference | None = None
    url: str | None = None


class MutatingWebhook(Struct):
    name: str = field(default_factory=empty)
    admission_review_versions: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    client_config: WebhookClientConfig = field(default_factory=WebhookClientConfig)
    failure_policy: str | None = None
    match_conditions: Annotated[tuple[MatchCondition, ...], ListMap("name"), Patch("merge", key="name")] = ()
    match_policy: str | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    reinvocation_policy: str | None = None
    rules: Annotated[tuple[RuleWithOperations, ...], LIST_ATOMIC] = ()
    side_effects: str | None = field(default_factory=null)
    timeout_seconds: Int32 | None = None


class MutatingWebhookConfiguration(Object):
    webhooks: Annotated[tuple[MutatingWebhook, ...], ListMap("name"), Patch("merge", key="name")] = ()


class TypeChecking(Struct):
    expression_warnings: Annotated[tuple[ExpressionWarning, ...], LIST_ATOMIC] = ()


class Validation(Struct):
    expression: str = field(default_factory=empty)
    message: str = ""
    message_expression: str = ""
    reason: str | None = None


class ValidatingAdmissionPolicySpec(Struct):
    audit_annotations: Annotated[tuple[AuditAnnotation, ...], LIST_ATOMIC] = ()
    failure_policy: str | None = None
    match_conditions: Annotated[tuple[MatchCondition, ...], ListMap("name"), Patch("merge", key="name")] = ()
    match_constraints: MatchResources | None = None
    param_kind: ParamKind | None = None
    validations: Annotated[tuple[Validation, ...], LIST_ATOMIC] = ()
    variables: Annotated[tuple[Variable, ...], ListMap("name"), Patch("merge", key="name")] = ()


class ValidatingAdmissionPolicyStatus(Struct):
    conditions: Annotated[tuple[Condition, ...], ListMap("type")] = ()
    observed_generation: Int64 = 0
    type_checking: TypeChecking | None = None


class ValidatingAdmissionPolicy(Object):
    spec: ValidatingAdmissionPolicySpec = field(default_factory=ValidatingAdmissionPolicySpec)
    status: ValidatingAdmissionPolicyStatus = field(default_factory=ValidatingAdmissionPolicyStatus)


class ValidatingAdmissionPolicyBindingSpec(Struct):
    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = field(default_factory=empty)
    validation_actions: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)


class ValidatingAdmissionPolicyBinding(Object):
    spec: ValidatingAdmissionPolicyBindingSpec = field(default_factory=ValidatingAdmissionPolicyBindingSpec)


class ValidatingWebhook(Struct):
    name: str = field(default_factory=empty)
    admission_review_versions: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    client_config: WebhookClientConfig = field(default_factory=WebhookClientConfig)
    failure_policy: str | None = None
    match_conditions: Annotated[tuple[MatchCondition, ...], ListMap("name"), Patch("merge", key="name")] = ()
    match_policy: str | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    rules: Annotated[tuple[RuleWithOperations, ...], LIST_ATOMIC] = ()
    side_effects: str | None = field(default_factory=null)
    timeout_seconds: Int32 | None = None


class ValidatingWebhookConfiguration(Object):
    webhooks: Annotated[tuple[ValidatingWebhook, ...], ListMap("name"), Patch("merge", key="name")] = ()
