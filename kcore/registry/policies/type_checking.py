"""What a ValidatingAdmissionPolicy gets wrong about the kinds that its rules name: warnings in its status (KEP-3488).

They change nothing about how the policy is evaluated, which takes objects as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kcore.api.admissionregistration_v1 import (
    ExpressionWarning,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicySpec,
)
from kcore.api.field import Path
from kcore.api.kind import Kind, parse_api_version
from kcore.api.scheme import Scheme
from kcore.cel.types import DYN, Type
from kcore.registry.policies.expressions import BadExpression, Names, compile_one
from kcore.registry.policies.object_types import type_of_kind

__all__ = ["expression_warnings", "kinds_to_check"]

_KINDS_MAX = 10


def expression_warnings(policy: ValidatingAdmissionPolicy, scheme: Scheme) -> Iterator[ExpressionWarning]:
    kinds = kinds_to_check(policy, scheme)
    for i, validation in enumerate(policy.spec.validations):
        path = Path("spec") / "validations" @ i
        for field, text in (
            ("expression", validation.expression),
            ("messageExpression", validation.message_expression),
        ):
            found = [
                f"{kind.api_version}, Kind={kind.name}: {why}\n"
                for kind in kinds
                if text and (why := _fault(text, policy.spec, kind, scheme))
            ]
            if found:
                yield ExpressionWarning(field_ref=str(path / field), warning="\n".join(found))


def _fault(text: str, spec: ValidatingAdmissionPolicySpec, kind: Kind, scheme: Scheme) -> str:
    """What is wrong with an expression for objects of a kind; "" where nothing is."""
    object_type = type_of_kind(kind)
    if object_type is None:
        return ""
    names = Names(_params(spec, scheme), authorizer=True, object=object_type)
    for variable in spec.variables:
        try:
            names = names.with_variable(variable.name, compile_one(variable.expression, names).result)
        except BadExpression:
            names = names.with_variable(variable.name, DYN)
    try:
        compile_one(text, names)
    except BadExpression as e:
        return str(e).removeprefix("compilation failed: ")
    return ""


def _params(spec: ValidatingAdmissionPolicySpec, scheme: Scheme) -> Type | None:
    if spec.param_kind is None:
        return None
    kind = scheme.find_kind(*parse_api_version(spec.param_kind.api_version), spec.param_kind.kind)
    return (type_of_kind(kind) if kind is not None else None) or DYN


def kinds_to_check(policy: ValidatingAdmissionPolicy, scheme: Scheme) -> Sequence[Kind]:
    """The kinds that the rules name, wildcards aside; ten at most."""
    constraints = policy.spec.match_constraints
    found: dict[Kind, None] = {}
    for rule in constraints.resource_rules if constraints is not None else ():
        for group in _plain(rule.api_groups):
            for version in _plain(rule.api_versions):
                for resource in sorted(r for r in rule.resources if "*" not in r and "/" not in r):
                    kind = scheme.find(group, version, resource)
                    if kind is not None and len(found) < _KINDS_MAX:
                        found[kind] = None
    return sorted(found, key=lambda k: (k.group, k.version, k.name))


def _plain(names: Iterable[str]) -> Sequence[str]:
    """Nothing where one of them is a wildcard."""
    listed = sorted(names)
    return () if any("*" in name for name in listed) else listed
