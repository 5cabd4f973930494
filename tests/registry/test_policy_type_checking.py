"""What the status of a policy says about its expressions and the kinds they are about."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicy
from kcore.api.scheme import Scheme
from kcore.registry.policies.type_checking import expression_warnings, kinds_to_check

DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}


def policy(*expressions: str, rules: Any = (DEPLOYMENTS,), **spec: Any) -> ValidatingAdmissionPolicy:
    validations = [{"expression": expression} for expression in expressions]
    document = {"spec": {"validations": validations, "matchConstraints": {"resourceRules": rules}, **spec}}
    return msgspec.convert(document, type=ValidatingAdmissionPolicy)


def warnings(checked: ValidatingAdmissionPolicy) -> list[tuple[str, str]]:
    return [(w.field_ref, w.warning) for w in expression_warnings(checked, Scheme())]


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas > 1",
        "object.metadata.labels['a'] == 'b' && object.metadata.namespace == 'x'",
        "object.spec.template.spec.containers.all(c, c.image.startswith('x'))".replace("startswith", "startsWith"),
        "object.spec.template.spec.containers.all(c, quantity(c.resources.limits['cpu']).isGreaterThan(quantity('1')))",
        "oldObject == null || object.metadata.creationTimestamp == oldObject.metadata.creationTimestamp",
        "object.spec.strategy.rollingUpdate.maxSurge == 1",
    ],
)
def test_expressions_that_fit_are_not_spoken_of(expression: str) -> None:
    assert warnings(policy(expression)) == []


def test_field_that_a_kind_does_not_have_is_told() -> None:
    assert warnings(policy("true", "object.spec.replicaz > 1")) == [
        (
            "spec.validations[1].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replicaz'\n"
            " | object.spec.replicaz > 1\n"
            " | ...........^\n",
        )
    ]


def test_each_kind_that_does_not_fit_is_told() -> None:
    rule = {**DEPLOYMENTS, "resources": ["deployments", "daemonsets", "statefulsets"]}
    [(field, warning)] = warnings(policy("object.spec.replicas > 1", rules=[rule]))
    assert field == "spec.validations[0].expression"
    assert warning.startswith("apps/v1, Kind=DaemonSet: ERROR")
    assert "Deployment" not in warning


def test_message_expressions_and_variables_are_looked_at_too() -> None:
    checked = policy(
        variables=[{"name": "replicas", "expression": "object.spec.replicas"}],
        validations=[{"expression": "variables.replicas == '1'", "messageExpression": "object.nope"}],
    )
    assert [field for field, _ in warnings(checked)] == [
        "spec.validations[0].expression",
        "spec.validations[0].messageExpression",
    ]


def test_params_have_the_type_of_their_kind() -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert warnings(policy("params.data['a'] == 'b'", paramKind=kind)) == []
    assert "undefined field 'spec'" in warnings(policy("params.spec == 'b'", paramKind=kind))[0][1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ["Deployment"]),
        ({"resources": ["statefulsets", "deployments", "deployments/status", "*"]}, ["Deployment", "StatefulSet"]),
        ({"apiGroups": ["apps", "*"]}, []),
        ({"apiVersions": ["*"]}, []),
        ({"resources": ["nonsense"]}, []),
    ],
)
def test_kinds_that_rules_name_outright_are_checked(rule: dict[str, Any], expected: list[str]) -> None:
    assert [k.name for k in kinds_to_check(policy(rules=[{**DEPLOYMENTS, **rule}]), Scheme())] == expected
