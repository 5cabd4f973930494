"""What schemas of custom resources drop, complete and refuse, as tables; and that doing it twice changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.formats import FORMATS
from kcore.kit.regex import compile_pattern
from kcore.registry.custom.defaulting import apply_defaults
from kcore.registry.custom.embedded import embedded_errors, list_errors
from kcore.registry.custom.json_path import JSONPathError, column_path
from kcore.registry.custom.pruning import drop_nulls, prune
from kcore.registry.custom.schema import Schema, compile_schema
from kcore.registry.custom.validation import validate


def compiled(tree: Any) -> Schema:
    return compile_schema(msgspec.convert(tree, JSONSchemaProps))


def of(**properties: Any) -> Any:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "tree", "kept", "pruned"),
    [
        (of(a=TEXT), {"a": "x", "b": 1}, {"a": "x"}, ["b"]),
        (of(a=of(b=TEXT)), {"a": {"b": "x", "c": {"d": 1}}}, {"a": {"b": "x"}}, ["a.c"]),
        (
            of(a={"type": "array", "items": of(b=TEXT)}),
            {"a": [{"b": "x"}, {"c": 1}]},
            {"a": [{"b": "x"}, {}]},
            ["a[1].c"],
        ),
        ({"type": "object", "additionalProperties": of(b=TEXT)}, {"x": {"c": 1}}, {"x": {}}, ["x.c"]),
        (
            of(a={**of(k=of(b=TEXT)), "x-kubernetes-preserve-unknown-fields": True}),
            {"a": {"x": {"y": 1}, "k": {"z": 1}}},
            {"a": {"x": {"y": 1}, "k": {}}},
            ["a.k.z"],
        ),
        (
            of(a={**of(spec=of(b=TEXT)), "x-kubernetes-embedded-resource": True}),
            {"a": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "other": 1}},
            {"a": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}}},
            ["a.other"],
        ),
        (of(a={"x-kubernetes-int-or-string": True}), {"a": 1}, {"a": 1}, []),
    ],
)
def test_what_is_not_specified_is_pruned(schema: Any, tree: Any, kept: Any, pruned: list[str]) -> None:
    found: list[str] = []
    prune(tree, compiled(schema), found, root=True)
    assert (tree, found) == (kept, pruned)


@pytest.mark.parametrize(
    ("schema", "tree", "completed"),
    [
        (of(a={**NUMBER, "default": 3}), {}, {"a": 3}),
        (of(a={**NUMBER, "default": 3}), {"a": 0}, {"a": 0}),
        (of(a={**NUMBER, "default": 3}), {"a": None}, {"a": 3}),
        (of(a={**NUMBER, "default": 3, "nullable": True}), {"a": None}, {"a": None}),
        (of(a=NUMBER), {"a": None}, {}),
        (of(a=of(b={**TEXT, "default": "x"})), {}, {}),
        (of(a={**of(b={**TEXT, "default": "x"}), "default": {}}), {}, {"a": {"b": "x"}}),
        (
            of(a={"type": "array", "items": of(d={**NUMBER, "default": 7})}),
            {"a": [{}, {"d": 1}]},
            {"a": [{"d": 7}, {"d": 1}]},
        ),
        (
            {"type": "object", "additionalProperties": of(d={**NUMBER, "default": 7})},
            {"x": {}},
            {"x": {"d": 7}},
        ),
    ],
)
def test_what_is_left_out_gets_its_default(schema: Any, tree: Any, completed: Any) -> None:
    apply_defaults(tree, compiled(schema))
    drop_nulls(tree, compiled(schema))
    assert tree == completed


def test_defaults_are_not_shared_between_objects() -> None:
    schema = compiled(of(a={"type": "array", "items": TEXT, "default": ["x"]}))
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    apply_defaults(first, schema)
    first["a"].append("y")
    apply_defaults(second, schema)
    assert second == {"a": ["x"]}


@pytest.mark.parametrize(
    ("rules", "value", "said"),
    [
        (NUMBER, "x", ['a: Invalid value: "string": a in body must be of type integer: "string"']),
        (NUMBER, 2.0, []),
        (
            NUMBER,
            1.5,
            [
                'a: Invalid value: "number": a in body must be of type integer: "number"',
                '<nil>: Invalid value: "": Checked value must be of type integer (default format) in a',
            ],
        ),
        ({**NUMBER, "minimum": 1}, 0, ["a: Invalid value: 0: a in body should be greater than or equal to 1"]),
        ({**NUMBER, "maximum": 10}, 11, ["a: Invalid value: 11: a in body should be less than or equal to 10"]),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            0,
            ["a: Invalid value: 0: a in body should be greater than 0"],
        ),
        (
            {"type": "number", "multipleOf": 0.5},
            0.75,
            ["a: Invalid value: 0.75: a in body should be a multiple of 0.5"],
        ),
        ({**NUMBER, "multipleOf": 3}, 7, ["a: Invalid value: 7: a in body should be a multiple of 3"]),
        ({**NUMBER, "multipleOf": 3}, 9, []),
        ({**TEXT, "maxLength": 2}, "abc", ["a: Too long: may not be more than 2 bytes"]),
        ({**TEXT, "minLength": 2}, "a", ['a: Invalid value: "a": a in body should be at least 2 chars long']),
        ({**TEXT, "pattern": "^[a-z]+$"}, "A", ["a: Invalid value: \"A\": a in body should match '^[a-z]+$'"]),
        ({**TEXT, "enum": ["x", "y"]}, "z", ['a: Unsupported value: "z": supported values: "x", "y"']),
        ({**TEXT, "format": "email"}, "x", ['a: Invalid value: "x": a in body must be of type email: "x"']),
        ({**TEXT, "format": "nonsense"}, "x", []),
        ({**TEXT, "nullable": True}, None, []),
        (TEXT, None, ['a: Invalid value: "null": a in body must be of type string: "null"']),
        (
            {"type": "array", "items": TEXT, "maxItems": 1},
            ["x", 1],
            [
                'a[1]: Invalid value: "integer": a[1] in body must be of type string: "integer"',
                "a: Too many: 2: must have at most 1 item",
            ],
        ),
        (
            {"type": "array", "items": TEXT, "minItems": 1},
            [],
            ["a: Invalid value: 0: a in body should have at least 1 items"],
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"k": 1},
            ['a.k: Invalid value: "integer": a.k in body must be of type string: "integer"'],
        ),
        ({**of(b=TEXT), "required": ["b"]}, {}, ["a.b: Required value"]),
        ({"x-kubernetes-int-or-string": True}, "80%", []),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            ['a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"'],
        ),
        (
            {**NUMBER, "anyOf": [{"minimum": 10}, {"maximum": 0}]},
            5,
            [
                '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
                "a: Invalid value: 5: a in body should be greater than or equal to 10",
            ],
        ),
        (
            {**of(b=NUMBER, c=NUMBER), "anyOf": [of(b={"minimum": 9}), of(b={"minimum": 2}, c={"maximum": 0})]},
            {"b": 1, "c": 1},
            [
                '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
                "a.b: Invalid value: 1: a.b in body should be greater than or equal to 2",
                "a.c: Invalid value: 1: a.c in body should be less than or equal to 0",
            ],
        ),
        (
            {**of(b=TEXT, c=TEXT), "oneOf": [{"required": ["b"]}, {"required": ["c"]}]},
            {"b": "1", "c": "2"},
            ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
        ),
        (
            {**TEXT, "not": {"enum": ["x"]}},
            "x",
            ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
        ),
        (
            {**NUMBER, "allOf": [{"minimum": 3}]},
            1,
            [
                "a: Invalid value: 1: a in body should be greater than or equal to 3",
                '<nil>: Invalid value: "": "a" must validate all the schemas (allOf). None validated',
            ],
        ),
    ],
)
def test_what_does_not_fit_is_told(rules: Any, value: Any, said: list[str]) -> None:
    assert [str(error) for error in validate({"a": value}, compiled(of(a=rules)))] == said


def test_what_was_wrong_before_an_update_is_left_alone() -> None:
    schema = compiled(of(a={**NUMBER, "minimum": 5}, b=TEXT))
    assert validate({"a": 1, "b": "new"}, schema, old={"a": 1, "b": "old"}) == []
    assert len(validate({"a": 2}, schema, old={"a": 1})) == 1


def test_elements_of_a_map_are_compared_by_their_keys() -> None:
    items = {"type": "array", "items": of(k=TEXT, v={**NUMBER, "minimum": 5}), "x-kubernetes-list-type": "map"}
    schema = compiled(of(m={**items, "x-kubernetes-list-map-keys": ["k"]}))
    old = {"m": [{"k": "bad", "v": 1}]}
    assert validate({"m": [{"k": "new", "v": 9}, {"k": "bad", "v": 1}]}, schema, old=old) == []


@pytest.mark.parametrize(
    ("rules", "value", "said"),
    [
        ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}, ["a", "a"], ['a[1]: Duplicate value: "a"']),
        (
            {
                "type": "array",
                "items": of(k=TEXT, v=NUMBER),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
            [{"k": "x", "v": 1}, {"k": "x", "v": 2}],
            ['a[1]: Duplicate value: {"k":"x"}'],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"apiVersion": "v1"},
            ["a.kind: Required value"],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"apiVersion": "a/b/c", "kind": "", "metadata": {"name": "a/b", "labels": {"k": "?"}}},
            [
                'a.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
                'a.kind: Invalid value: "": must not be empty',
                "a.metadata.name: Invalid value: \"a/b\": may not contain '/'",
                'a.metadata.labels: Invalid value: "?": a valid label must be an empty string or consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ],
        ),
        (
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            },
            {"k": ["x", "x", "x"]},
            ['a[k][1]: Duplicate value: "x"'],
        ),
    ],
)
def test_sets_maps_and_embedded_resources_have_rules_of_their_own(rules: Any, value: Any, said: list[str]) -> None:
    tree, schema = {"a": value}, compiled(of(a=rules))
    assert [str(error) for error in (*embedded_errors(tree, schema), *list_errors(tree, schema))] == said


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2024-02-29T10:00:00Z", "monday"),
        ("date", "2024-02-29", "2023-02-29"),
        ("ipv4", "10.0.0.1", "::1"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uri", "https://example.com/x", "x y"),
        ("hostname", "a.example.com", "-a"),
        ("uuid", "69b2a972-06b4-4003-b6b5-15373313be9a", "69b2"),
        ("mac", "00:1b:44:11:3a:b7", "00:1b"),
        ("byte", "aGk=", "aGk"),
        ("duration", "1h30m", "soon"),
        ("isbn10", "0306406152", "0306406153"),
        ("isbn13", "9780306406157", "9780306406158"),
        ("creditcard", "4111111111111111", "4111111111111112"),
        ("hexcolor", "#fff", "#ff"),
        ("rgbcolor", "rgb(1, 2, 255)", "rgb(1, 2, 256)"),
        ("k8s-short-name", "web-1", "web.1"),
        ("k8s-long-name", "web.1", "Web"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    assert FORMATS[name](good)
    assert not FORMATS[name](bad)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^a$", "a\n", False),
        (r"^a\z", "a", True),
        ("^[[:alpha:]]+$", "abc", True),
        ("^[[:alpha:]]+$", "ab1", False),
        (r"^\d$", "٣", False),
        ("^[$]$", "$", True),
        ("(?i)^ABC$", "abc", True),
    ],
)
def test_patterns_mean_what_they_mean_in_go(pattern: str, text: str, found: bool) -> None:
    assert compile_pattern(pattern).search(text) is found


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.names[0]", ["n"]),
        (".spec.names[*]", ["n", "m"]),
        (".spec.names[-1]", ["m"]),
        (".spec.none", []),
        (".spec['a.b']", [1]),
        (r".spec.a\.b", [1]),
        ('.items[?(@.type=="Ready")].status', ["True"]),
        ("..status", ["True", "False"]),
    ],
)
def test_columns_are_found_by_json_path(path: str, values: list[Any]) -> None:
    tree = {
        "spec": {"names": ["n", "m"], "a.b": 1},
        "items": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    }
    assert list(column_path(path)(tree)) == values


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(JSONPathError):
        column_path(".spec[")


# --- properties ---

_LEAVES: list[Any] = [
    TEXT,
    NUMBER,
    {**TEXT, "default": "d"},
    {**NUMBER, "nullable": True, "default": 1},
    {"x-kubernetes-preserve-unknown-fields": True},
]
_NAMES = st.sampled_from("abc")
SCHEMAS = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.dictionaries(_NAMES, inner, max_size=3).map(lambda p: of(**p)),
        st.dictionaries(_NAMES, inner, max_size=3).map(lambda p: {**of(**p), "default": {}}),
        inner.map(lambda s: {"type": "array", "items": s}),
        inner.map(lambda s: {"type": "object", "additionalProperties": s}),
    ),
    max_leaves=8,
)
TREES = st.recursive(
    st.none() | st.integers(0, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(SCHEMAS, st.dictionaries(_NAMES, TREES, max_size=3))
def test_pruning_and_defaulting_twice_is_the_same_as_once(rules: Any, tree: Any) -> None:
    schema = compiled(rules)
    steps: list[Callable[[Any], None]] = [
        lambda t: prune(t, schema, []),
        lambda t: apply_defaults(t, schema),
        lambda t: drop_nulls(t, schema),
    ]
    for step in steps:
        step(tree)
        once = copy.deepcopy(tree)
        step(tree)
        assert tree == once


@given(SCHEMAS, st.dictionaries(_NAMES, TREES, max_size=3))
def test_nothing_that_defaulting_fills_in_is_pruned(rules: Any, tree: Any) -> None:
    schema = compiled(rules)
    prune(tree, schema, [])
    apply_defaults(tree, schema)
    pruned: list[str] = []
    prune(tree, schema, pruned)
    assert pruned == []
