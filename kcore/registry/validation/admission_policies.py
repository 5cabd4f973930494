"""Rules of admission policies and their bindings (KEP-3488, KEP-3962).

Whether expressions can be compiled is asked of `kcore.registry.policies`, loaded with the first policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kcore.api.admissionregistration_v1 import (
    AuditAnnotation,
    MatchResources,
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    Mutation,
    NamedRuleWithOperations,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    Validation,
    Variable,
)
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.kind import parse_api_version
from kcore.api.names import c_identifier, dns1035_label, dns1123_subdomain, label_key, path_segment_name
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.values import check
from kcore.registry.validation.webhooks import validate_conditions, validate_rule

if TYPE_CHECKING:
    from kcore.registry.policies.compilation import Expressions

__all__ = [
    "validate_mutating_binding",
    "validate_mutating_policy",
    "validate_validating_binding",
    "validate_validating_policy",
]

_SPEC = Path("spec")
_FAILURE_POLICIES = ("Fail", "Ignore")
_MATCH_POLICIES = ("Equivalent", "Exact")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_ACTIONS = ("Audit", "Deny", "Warn")
_MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
_ANNOTATIONS_MAX = 20
_ANNOTATION_BYTES_MAX = 5 * 1024
_NOTHING = "validations or auditAnnotations must contain at least one item"


def _expressions(policy: ValidatingAdmissionPolicy | MutatingAdmissionPolicy) -> Expressions:
    from kcore.registry.policies.compilation import Expressions

    mutating = isinstance(policy, MutatingAdmissionPolicy)
    return Expressions(
        params=policy.spec.param_kind is not None,
        patches=mutating,
        variables=mutating or bool(policy.spec.variables),
    )


def _validate_common(
    policy: ValidatingAdmissionPolicy | MutatingAdmissionPolicy, expressions: Expressions
) -> Iterator[FieldError]:
    spec = policy.spec
    if spec.failure_policy is None:
        yield required(_SPEC / "failurePolicy")
    elif spec.failure_policy not in _FAILURE_POLICIES:
        yield not_supported(_SPEC / "failurePolicy", spec.failure_policy, _FAILURE_POLICIES)
    if spec.param_kind is not None:
        yield from _validate_param_kind(spec.param_kind, _SPEC / "paramKind")
    if spec.match_constraints is None:
        yield required(_SPEC / "matchConstraints")
    else:
        yield from _validate_match(spec.match_constraints, _SPEC / "matchConstraints")
        if not spec.match_constraints.resource_rules:
            yield required(_SPEC / "matchConstraints" / "resourceRules")
        if isinstance(policy, MutatingAdmissionPolicy):
            rules = spec.match_constraints.resource_rules
            yield from _validate_operations(rules, _SPEC / "matchConstraints" / "resourceRules" / "operations")
    yield from validate_conditions(spec.match_conditions, _SPEC / "matchConditions", expressions)
    yield from _validate_variables(spec.variables, _SPEC / "variables", expressions)


def validate_validating_policy(policy: ValidatingAdmissionPolicy) -> Iterator[FieldError]:
    expressions = _expressions(policy)
    yield from _validate_common(policy, expressions)
    spec = policy.spec
    if not spec.validations and not spec.audit_annotations:
        yield required(_SPEC / "validations", _NOTHING)
        yield required(_SPEC / "auditAnnotations", _NOTHING)
    for i, validation in enumerate(spec.validations):
        yield from _validate_validation(validation, _SPEC / "validations" @ i, expressions)
    annotations, path = spec.audit_annotations, _SPEC / "auditAnnotations"
    if len(annotations) > _ANNOTATIONS_MAX:
        shown = [{"Key": a.key, "ValueExpression": a.value_expression} for a in annotations]
        yield invalid(path, shown, f"must not have more than {_ANNOTATIONS_MAX} auditAnnotations")
    for i, annotation in enumerate(annotations):
        yield from _validate_annotation(policy.metadata.name, annotation, path @ i, expressions)
        if any(a.key == annotation.key for a in annotations[:i]):
            yield duplicate(path @ i / "key", annotation.key)


def _validate_annotation(
    policy: str, annotation: AuditAnnotation, path: Path, expressions: Expressions
) -> Iterator[FieldError]:
    if policy:
        yield from check(path / "key", f"{policy}/{annotation.key}", label_key)
    else:
        yield invalid(path / "key", annotation.key, "requires metadata.name be non-empty")
    path, text = path / "valueExpression", annotation.value_expression.strip()
    if not text:
        yield required(path, "valueExpression is not specified")
    elif len(text.encode()) > _ANNOTATION_BYTES_MAX:
        yield required(path, f"must not exceed {_ANNOTATION_BYTES_MAX} bytes in length")
    else:
        yield from expressions.value(path, annotation.value_expression)


def _validate_validation(validation: Validation, path: Path, expressions: Expressions) -> Iterator[FieldError]:
    if not validation.expression.strip():
        yield required(path / "expression", "expression is not specified")
    else:
        yield from expressions.validation(path / "expression", validation.expression)
    if validation.message_expression:
        if validation.message_expression.strip():
            yield from expressions.message(path / "messageExpression", validation.message_expression)
        else:
            yield invalid(path / "messageExpression", validation.message_expression, "must be non-empty if specified")
    message = validation.message.strip()
    if validation.message and not message:
        yield invalid(path / "message", validation.message, "must be non-empty if specified")
    elif "\n" in message or "\r" in message:
        yield invalid(path / "message", validation.message, "must not contain line breaks")
    if validation.reason is not None and validation.reason not in _REASONS:
        yield not_supported(path / "reason", validation.reason, _REASONS)


def validate_mutating_policy(policy: MutatingAdmissionPolicy) -> Iterator[FieldError]:
    expressions = _expressions(policy)
    yield from _validate_common(policy, expressions)
    spec = policy.spec
    if not spec.mutations:
        yield required(_SPEC / "mutations", "mutations must contain at least one item")
    for i, mutation in enumerate(spec.mutations):
        yield from _validate_mutation(mutation, _SPEC / "mutations" @ i, expressions)
    if not spec.reinvocation_policy:
        yield required(_SPEC / "reinvocationPolicy")
    elif spec.reinvocation_policy not in ("IfNeeded", "Never"):
        yield not_supported(_SPEC / "reinvocationPolicy", spec.reinvocation_policy, ("IfNeeded", "Never"))


def _validate_mutation(mutation: Mutation, path: Path, expressions: Expressions) -> Iterator[FieldError]:
    forms = {
        "ApplyConfiguration": ("applyConfiguration", mutation.apply_configuration, expressions.configuration),
        "JSONPatch": ("jsonPatch", mutation.json_patch, expressions.json_patch),
    }
    if not mutation.patch_type:
        yield required(path / "patchType")
        return
    if mutation.patch_type not in forms:
        yield not_supported(path / "patchType", mutation.patch_type, tuple(forms))
        return
    field, value, compiles = forms.pop(mutation.patch_type)
    if value is None:
        yield required(path / field, f"must be specified when patchType is {mutation.patch_type}")
    elif not value.expression.strip():
        yield required(path / field / "expression")
    else:
        yield from compiles(path / field / "expression", value.expression)
    for other, given, _ in forms.values():
        if given is not None:
            why = f"must not be specified when patchType is {mutation.patch_type}"
            yield invalid(path / other, "{" + other + "}", why)


def _validate_operations(rules: Sequence[NamedRuleWithOperations], path: Path) -> Iterator[FieldError]:
    """What is deleted cannot be changed."""
    for rule in rules:
        for operation in rule.operations:
            if operation not in _MUTABLE:
                yield not_supported(path, operation, _MUTABLE)


def _validate_param_kind(kind: ParamKind, path: Path) -> Iterator[FieldError]:
    yield from _validate_api_version(kind.api_version, path / "apiVersion")
    if not kind.kind:
        yield required(path / "kind")
    elif words := dns1035_label(kind.kind.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(words)}"
        yield invalid(path / "kind", kind.kind, why)


def _validate_api_version(text: str, path: Path) -> Iterator[FieldError]:
    if not text:
        yield required(path)
        return
    if text != "/" and text.count("/") > 1:
        yield invalid(path, text, f"unexpected GroupVersion string: {text}")
        return
    group, version = parse_api_version(text)
    if group and (words := dns1123_subdomain(group)):
        yield invalid(path, group, ",".join(words))
    if not version:
        yield invalid(path, text, "version must be specified")
    elif words := dns1035_label(version):
        yield invalid(path, version, ",".join(words))


def _validate_match(match: MatchResources, path: Path) -> Iterator[FieldError]:
    if match.match_policy is None:
        yield required(path / "matchPolicy")
    elif match.match_policy not in _MATCH_POLICIES:
        yield not_supported(path / "matchPolicy", match.match_policy, _MATCH_POLICIES)
    for field, selector in (
        ("namespaceSelector", match.namespace_selector),
        ("objectSelector", match.object_selector),
    ):
        if selector is None:
            yield required(path / field)
        yield from validate_label_selector(selector, path / field)
    for field, rules in (
        ("resourceRules", match.resource_rules),
        ("excludeResourceRules", match.exclude_resource_rules),
    ):
        for i, rule in enumerate(rules):
            yield from validate_rule(rule, path / field @ i)


def _validate_variables(variables: Sequence[Variable], path: Path, expressions: Expressions) -> Iterator[FieldError]:
    """Names may be repeated: the later one counts."""
    if not variables:
        return
    from kcore.cel.tokens import RESERVED

    for i, variable in enumerate(variables):
        if not variable.name.strip():
            yield required(path @ i / "name", "name is not specified")
        elif c_identifier(variable.name) or variable.name in RESERVED:
            yield invalid(path @ i / "name", variable.name, "must be a valid CEL identifier")
        if not variable.expression.strip():
            yield required(path @ i / "expression", "expression is not specified")
        else:
            yield from expressions.variable(path @ i / "expression", variable.name, variable.expression)


def _validate_binding(policy: str, ref: ParamRef | None, match: MatchResources | None) -> Iterator[FieldError]:
    if not policy:
        yield required(_SPEC / "policyName")
    else:
        yield from check(_SPEC / "policyName", policy, dns1123_subdomain)
    if ref is not None:
        yield from _validate_param_ref(ref, _SPEC / "paramRef")
    if match is not None:
        yield from _validate_match(match, _SPEC / "matchResources")


def _validate_param_ref(ref: ParamRef, path: Path) -> Iterator[FieldError]:
    if ref.name:
        yield from check(path / "name", ref.name, path_segment_name)
        if ref.selector is not None:
            yield forbidden(path / "name", "name and selector are mutually exclusive")
    if ref.selector is not None:
        yield from validate_label_selector(ref.selector, path / "selector")
        if ref.name:
            yield forbidden(path / "selector", "name and selector are mutually exclusive")
    elif not ref.name:
        yield required(path, "one of name or selector must be specified")
    action = ref.parameter_not_found_action
    if not action:
        yield required(path / "parameterNotFoundAction")
    elif action not in ("Allow", "Deny"):
        yield not_supported(path / "parameterNotFoundAction", action, ("Deny", "Allow"))


def validate_validating_binding(binding: ValidatingAdmissionPolicyBinding) -> Iterator[FieldError]:
    spec = binding.spec
    yield from _validate_binding(spec.policy_name, spec.param_ref, spec.match_resources)
    actions, path = spec.validation_actions, _SPEC / "validationActions"
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            yield not_supported(path @ i, action, _ACTIONS)
        if action in actions[:i]:
            yield duplicate(path @ i, action)
    if "Deny" in actions and "Warn" in actions:
        message = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        yield invalid(path, actions, message)
    if not actions:
        yield required(path, "at least one validation action is required")


def validate_mutating_binding(binding: MutatingAdmissionPolicyBinding) -> Iterator[FieldError]:
    spec = binding.spec
    yield from _validate_binding(spec.policy_name, spec.param_ref, spec.match_resources)
    if spec.match_resources is not None:
        rules = spec.match_resources.resource_rules
        yield from _validate_operations(rules, _SPEC / "matchResources" / "resourceRules" / "operations")
