"""What a CustomResourceDefinition may say, as tables of what is wrong with one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kcore.api.apiextensions_v1 import CustomResourceDefinition
from kcore.registry.advice.definitions import unknown_formats
from kcore.registry.defaults.apiextensions_v1 import default_definition
from kcore.registry.strategies.apiextensions_v1 import CustomResourceDefinitionStrategy
from kcore.registry.validation.definitions import validate_definition, validate_definition_update
from tests.registry.conftest import Api
from tests.registry.rules import changed

SPEC = {"type": "object", "properties": {"a": {"type": "string"}}}


def version(name: str = "v1", spec: Any = None, **more: Any) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC if spec is None else spec}}}
    return {"name": name, "served": True, "storage": True, "schema": schema, **more}


THING: dict[str, Any] = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [version()],
    },
}


def load(patch: Any = None) -> CustomResourceDefinition:
    tree = changed(THING, patch or {})
    definition = msgspec.convert({"status": {"storedVersions": ["v1"]}, **tree}, CustomResourceDefinition)
    default_definition(definition)
    return definition


def with_spec(spec: Any) -> Any:
    return {"spec": {"versions": [version(spec=spec)]}}


AT = "spec.validation.openAPIV3Schema.properties[spec]"


def test_a_plain_definition_is_completed_and_accepted() -> None:
    definition = load()
    assert list(validate_definition(definition)) == []
    names = definition.spec.names
    assert (names.singular, names.list_kind) == ("thing", "ThingList")
    assert definition.spec.conversion is not None
    assert definition.spec.conversion.strategy == "None"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"metadata": {"name": "x"}}, ['metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group']),
        (
            {"spec": {"scope": "Galaxy"}},
            ['spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
        ),
        ({"spec": {"scope": None}}, ["spec.scope: Required value"]),
        ({"spec": {"versions": [version(schema=None)]}}, ["spec.versions[0].schema.openAPIV3Schema: Required value"]),
        (
            {"spec": {"versions": [version(deprecationWarning="x")]}},
            ['spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions'],
        ),
        (
            {"spec": {"conversion": {"strategy": "Magic"}}},
            ['spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"'],
        ),
        (
            {"spec": {"names": {"listKind": "Thing"}}},
            ['spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same'],
        ),
        (
            {
                "spec": {
                    "versions": [version(additionalPrinterColumns=[{"name": "A", "type": "string", "jsonPath": "x"}])]
                }
            },
            [
                'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": '
                "must be a simple json path starting with ."
            ],
        ),
        (
            {
                "spec": {
                    "versions": [
                        version(
                            subresources={"scale": {"specReplicasPath": ".status.x", "statusReplicasPath": ".status.y"}}
                        )
                    ]
                }
            },
            ['spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec'],
        ),
        (
            {"spec": {"versions": [version(selectableFields=[{"jsonPath": ".spec.zzz"}])]}},
            [
                'spec.selectableFields[0].jsonPath: Invalid value: ".spec.zzz": '
                "is an invalid path: does not refer to a valid field"
            ],
        ),
        (
            {
                "spec": {
                    "versions": [version(selectableFields=[{"jsonPath": path} for path in ("a", ".spec['a']", ".")])]
                }
            },
            [
                'spec.selectableFields[0].jsonPath: Invalid value: "a": is an invalid path: expected [ or . but got: a',
                "spec.selectableFields[1].jsonPath: Invalid value: \".spec['a']\": "
                "is an invalid path: array notation is not allowed",
                'spec.selectableFields[2].jsonPath: Invalid value: ".": '
                "is an invalid path: unexpected end of JSON path",
            ],
        ),
        (
            {"spec": {"versions": [version(), version("v2", served=False, storage=False, schema=None)]}},
            ["spec.versions[1].schema.openAPIV3Schema: Required value"],
        ),
        (
            {"spec": {"versions": [version(deprecated=True, deprecationWarning="é\n")]}},
            [
                'spec.versions[0].deprecationWarning: Invalid value: "é\\n": '
                "must only contain printable UTF-8 characters; non-printable character found at index 2"
            ],
        ),
        (
            {"spec": {"conversion": {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}}},
            [
                "spec.conversion.conversionReviewVersions: Forbidden: "
                "should not be set when strategy is not set to Webhook"
            ],
        ),
        (
            {
                "spec": {
                    "conversion": {
                        "strategy": "Webhook",
                        "webhook": {
                            "conversionReviewVersions": ["v2", "v2"],
                            "clientConfig": {"service": {"name": "x", "port": 443}},
                        },
                    }
                }
            },
            [
                "spec.conversion.webhookClientConfig.service.namespace: Required value: service namespace is required",
                'spec.conversion.conversionReviewVersions[1]: Invalid value: "v2": duplicate version',
                'spec.conversion.conversionReviewVersions: Invalid value: ["v2","v2"]: '
                "must include at least one of v1, v1beta1",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_definition(patch: Any, said: list[str]) -> None:
    assert [str(error) for error in validate_definition(load(patch))] == said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, [f"{AT}.type: Required value: must not be empty for specified object fields"]),
        ({"type": "array"}, [f"{AT}.items: Required value: must be specified"]),
        ({"$ref": "#/x"}, [f"{AT}.$ref: Forbidden: $ref is not supported"]),
        (
            {"type": "array", "items": {}},
            [f"{AT}.items.type: Required value: must not be empty for specified array items"],
        ),
        (
            {"type": "integer", "default": "x"},
            [f'{AT}.default: Invalid value: "string":  in body must be of type integer: "string"'],
        ),
        ({**SPEC, "default": {"b": 1}}, [f'{AT}.default: Invalid value: {{"b":1}}: must not have unknown fields']),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            [
                f"{AT}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
                "becomes quadratic"
            ],
        ),
        (
            {"type": "string", "x-kubernetes-list-type": "set"},
            [f'{AT}.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified'],
        ),
        (
            {"type": "object", "allOf": [{"properties": {"b": {"type": "string"}}}]},
            [f"{AT}.allOf[0].properties[b].type: Forbidden: must be empty to be structural"],
        ),
        ({"type": "object", "allOf": [{"properties": {"b": {"minLength": 1}}}]}, []),
        (
            {"type": "object", "x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True},
            [
                f"{AT}.x-kubernetes-preserve-unknown-fields: Invalid value: true: "
                "must be false if x-kubernetes-int-or-string is true"
            ],
        ),
        (
            {"x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            [f"{AT}.type: Required value: must be object if x-kubernetes-embedded-resource is true"],
        ),
        (
            {**SPEC, "anyOf": [{"nullable": True, "default": 1, "x-kubernetes-list-type": "set"}]},
            [
                f"{AT}.anyOf[0].default: Forbidden: must be undefined to be structural",
                f"{AT}.anyOf[0].nullable: Forbidden: must be false to be structural",
                f"{AT}.anyOf[0].x-kubernetes-list-type: Forbidden: must be undefined to be structural",
                f"{AT}.anyOf[0].type: Required value: must be array if x-kubernetes-list-type is specified",
            ],
        ),
        (
            {**SPEC, "oneOf": [{"properties": {"metadata": {"minProperties": 1}}}]},
            [f"{AT}.oneOf[0].properties[metadata]: Forbidden: must not be specified in a nested context"],
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a", "a", "b"],
                "items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "object"}}},
            },
            [
                f'{AT}.items.properties[a].type: Invalid value: "object": '
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
                f'{AT}.items.properties[a].type: Invalid value: "object": '
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
                f'{AT}.x-kubernetes-list-map-keys: Invalid value: ["a","a","b"]: must not contain duplicate entries',
                f'{AT}.x-kubernetes-list-map-keys: Invalid value: ["a","a","b"]: '
                "entries must all be names of item properties",
            ],
        ),
        ({"type": "object", "additionalProperties": False}, []),
        (
            {**SPEC, "additionalProperties": {"type": "thing"}},
            [
                f"{AT}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
                f'{AT}.additionalProperties.type: Unsupported value: "thing": supported values: "array", "boolean", ',
            ],
        ),
        (
            {
                "type": "object",
                "properties": {
                    "n": {
                        "type": "integer",
                        "default": 0,
                        "x-kubernetes-validations": [{"rule": "self > 0", "message": "none"}],
                    }
                },
            },
            [f"{AT}.properties[n].default: Invalid value: 0: none"],
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {"type": "string", "uniqueItems": True},
                    "n": {"type": "integer", "x-kubernetes-validations": [{"rule": "self"}]},
                },
            },
            [
                f"{AT}.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since",
                f"{AT}.properties[n].x-kubernetes-validations[0].rule: Invalid value: ",
            ],
        ),
        (
            {"type": "string", "pattern": "("},
            [f'{AT}.pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '],
        ),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, []),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {**SPEC, "nullable": True}},
            [
                f"{AT}.items.x-kubernetes-map-type: Invalid value: null: "
                "must be atomic as item of a list with x-kubernetes-list-type=set",
                f"{AT}.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set",
            ],
        ),
        (
            {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
            [],
        ),
    ],
)
def test_what_is_wrong_with_a_schema(spec: Any, said: list[str]) -> None:
    found = [str(error) for error in validate_definition(load(with_spec(spec)))]
    assert len(found) == len(said)
    assert all(error.startswith(start) for error, start in zip(found, said, strict=True))


@pytest.mark.parametrize(("depth", "said"), [(100, 0), (400, 1)])
def test_schemas_have_a_bottom(depth: int, said: int) -> None:
    spec: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        spec = {"type": "object", "properties": {"a": spec}, "x-kubernetes-validations": [{"rule": "has(self.a)"}]}
    assert len(list(validate_definition(load(with_spec(spec))))) == said


@pytest.mark.parametrize(
    ("root", "said"),
    [
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            ["additionalProperties: must not be used at the root"],
        ),
        (
            {"type": "object", "anyOf": [{"properties": {"b": {"minLength": 1}}}]},
            ["properties[b]: because it is defined in spec.validation.openAPIV3Schema.anyOf[0].properties[b]"],
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "nullable": True},
            ["nullable: nullable cannot be true at the root"],
        ),
        ({"type": "object", "$schema": "x"}, []),
    ],
)
def test_what_is_wrong_at_the_root(root: Any, said: list[str]) -> None:
    found = validate_definition(load({"spec": {"versions": [version(schema={"openAPIV3Schema": root})]}}))
    at = "spec.validation.openAPIV3Schema."
    assert [f"{error.field.removeprefix(at)}: {error.detail}" for error in found] == said


def test_formats_that_nothing_checks_are_told() -> None:
    definition = load(
        with_spec(
            {
                "type": "object",
                "properties": {
                    "a": {"type": "string", "format": "e-mail"},
                    "b": {"type": "string", "format": "email"},
                    "c": {"type": "integer", "format": "int8"},
                },
            }
        )
    )
    assert [*unknown_formats(definition)] == ["e-mail"]


def test_metadata_has_no_defaults() -> None:
    root = {"type": "object", "properties": {"kind": {"type": "string", "default": "Thing"}}}
    schema = {"openAPIV3Schema": root}
    [error] = validate_definition(load({"spec": {"versions": [version(schema=schema)]}}))
    at = "spec.validation.openAPIV3Schema.properties[kind].default"
    assert str(error) == f"{at}: Forbidden: must not be set in top-level kind"


def test_the_root_is_plain_where_status_is_apart() -> None:
    root = {"type": "object", "maxProperties": 5}
    versions = [version(schema={"openAPIV3Schema": root}, subresources={"status": {}})]
    [error] = validate_definition(load({"spec": {"versions": versions}}))
    assert error.field == "spec.validation.openAPIV3Schema"
    assert error.body.startswith('Invalid value: {"ID":"","Schema":"","Ref":null,"Description":"","Type":"object",')
    assert error.body.endswith(
        "XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource "
        "is enabled"
    )


def test_names_and_scope_stay_once_they_are_established() -> None:
    established = {"type": "Established", "status": "True", "lastTransitionTime": None}
    old = load({"status": {"storedVersions": ["v1"], "conditions": [established]}})
    new = load({"spec": {"scope": "Cluster", "names": {"kind": "Other", "listKind": "OtherList"}}})
    assert [error.field for error in validate_definition_update(new, old)] == ["spec.scope", "spec.names.kind"]


def test_a_version_that_was_stored_stays() -> None:
    new = load({"spec": {"versions": [version("v2")]}, "status": {"storedVersions": ["v1", "v2"]}})
    assert [error.field for error in validate_definition_update(new, load())] == ["status.storedVersions[0]"]


def shown(rule: str, message: str = "") -> str:
    return (
        f'{{"Rule":"{rule}","Message":"","MessageExpression":"{message}","Reason":null,"FieldPath":"",'
        '"OptionalOldSelf":null}'
    )


RULES = f"{AT}.x-kubernetes-validations[0]"
ESCAPED = r"self.b \u003e 1"
ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "self.a != 'x'"}, []),
        ({"rule": " "}, [f"{RULES}.rule: Required value"]),
        (
            {"rule": "self.a"},
            [f"{RULES}.rule: Invalid value: {shown('self.a')}: cel expression must evaluate to a bool"],
        ),
        (
            {"rule": "self.b > 1"},
            [
                f"{RULES}.rule: Invalid value: {shown(ESCAPED)}: compilation failed: ERROR: <input>:1:5: "
                "undefined field 'b'\n | self.b > 1\n | ....^"
            ],
        ),
        (
            {"rule": "true", "message": "a\nb"},
            [f'{RULES}.message: Invalid value: "a\\nb": must not contain line breaks'],
        ),
        ({"rule": "true", "message": " "}, [f'{RULES}.message: Invalid value: " ": must be non-empty if specified']),
        (
            {"rule": "true\n&& true"},
            [f"{RULES}.message: Required value: must be specified if rule contains line breaks"],
        ),
        (
            {"rule": "true", "messageExpression": "1"},
            [
                f"{RULES}.messageExpression: Invalid value: {shown('true', '1')}: "
                "messageExpression must evaluate to a string"
            ],
        ),
        (
            {"rule": "true", "reason": "Because"},
            [
                f'{RULES}.reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", '
                '"FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'
            ],
        ),
        ({"rule": "true", "fieldPath": ".z"}, [f'{RULES}.fieldPath: Invalid value: ".z": must be a valid path']),
        ({"rule": "true", "fieldPath": "['a']"}, []),
        (
            {"rule": "true", "optionalOldSelf": True},
            [f"{RULES}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"],
        ),
    ],
)
def test_what_is_wrong_with_a_rule(rule: Any, said: list[str]) -> None:
    spec = {**SPEC, "x-kubernetes-validations": [rule]}
    assert [str(error) for error in validate_definition(load(with_spec(spec)))] == said


def test_a_rule_that_costs_too_much_at_worst_is_refused() -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    lists = {"type": "array", "items": texts, "x-kubernetes-validations": [{"rule": "self.all(a, a.all(b, b != 'x'))"}]}
    found = [
        str(error) for error in validate_definition(load(with_spec({"type": "object", "properties": {"l": lists}})))
    ]
    at = f"{AT}.properties[l].x-kubernetes-validations[0].rule"
    assert found == [
        f"{at}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {ADVICE}",
        f"{at}: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        "spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire "
        f"OpenAPIv3 schema exceeds budget by factor of more than 100x {ADVICE}",
    ]


@pytest.mark.parametrize(
    ("message", "expected", "said"),
    [(4096, 4096, ["5.4x"]), (4096, 512, []), (1024, 1024, [])],
)
def test_what_a_rule_may_cost_is_what_it_may_upstream(message: int, expected: int, said: list[str]) -> None:
    text = {"type": "string", "maxLength": expected}
    expect = {"type": "object", "properties": {"contains": text, "equals": text}}
    rule = (
        "(!has(self.expect.contains) || !self.message.contains(self.expect.contains)) && "
        "(!has(self.expect.equals) || self.message != self.expect.equals)"
    )
    properties = {"message": {"type": "string", "maxLength": message}, "expect": expect}
    case = {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule}]}
    cases = {"type": "array", "maxItems": 20, "items": case}
    found = [
        str(error) for error in validate_definition(load(with_spec({"type": "object", "properties": {"c": cases}})))
    ]
    assert [error.partition("factor of ")[2].partition(" ")[0] for error in found] == said


def test_limits_make_a_rule_affordable() -> None:
    texts = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 20}}
    rules = [{"rule": "self.all(a, a.all(b, b.contains('x')))"}]
    lists = {"type": "array", "maxItems": 10, "items": texts, "x-kubernetes-validations": rules}
    assert list(validate_definition(load(with_spec({"type": "object", "properties": {"l": lists}})))) == []


def test_elements_without_keys_have_no_former_selves() -> None:
    item = {"type": "string", "maxLength": 5, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    spec = {"type": "object", "properties": {"l": {"type": "array", "maxItems": 5, "items": item}}}
    [error] = validate_definition(load(with_spec(spec)))
    assert str(error) == (
        f"{AT}.properties[l].items.x-kubernetes-validations[0].rule: "
        'Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within '
        f"{AT}.properties[l]"
    )


def test_rules_below_anyof_are_not_structural() -> None:
    spec = {**SPEC, "anyOf": [{"x-kubernetes-validations": [{"rule": "true"}]}]}
    [error] = validate_definition(load(with_spec(spec)))
    assert str(error) == f"{AT}.anyOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"


async def test_a_deleted_definition_stays_until_its_objects_are_gone(api: Api) -> None:
    await api.create("customresourcedefinitions", THING)
    gone = await api.delete("customresourcedefinitions", "things.example.com")
    assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert gone["metadata"]["generation"] == 1
    assert "deletionGracePeriodSeconds" not in gone["metadata"]
    assert CustomResourceDefinitionStrategy.returns_deleted
