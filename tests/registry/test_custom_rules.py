"""What validation rules find in objects, as tables: schemas are those of a definition, values what a client sent."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.errors import Invalid
from kcore.registry.custom.rules import rule_tree
from kcore.registry.custom.validation import ABSENT
from kcore.registry.request import PatchType
from tests.registry.conftest import Api
from tests.registry.widgets import asking, define, turn, version, widget

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def of(*rules: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}


def found(schema: Any, tree: Any, old: Any = ABSENT) -> tuple[list[str], list[str]]:
    """Errors and warnings for an object whose spec has the schema."""
    props = msgspec.convert({"type": "object", "properties": {"spec": schema}}, JSONSchemaProps)
    rules = rule_tree(props)
    assert rules is not None
    warnings: list[str] = []
    before = old if old is ABSENT else {"spec": old}
    errors = rules.check({"spec": tree}, before, warnings)
    return [str(error) for error in errors], warnings


def errors(schema: Any, tree: Any, old: Any = ABSENT) -> list[str]:
    return found(schema, tree, old)[0]


def test_a_broken_rule_is_told_at_its_schema() -> None:
    schema = of({"rule": "self.a < self.b"}, a=NUMBER, b=NUMBER)
    assert errors(schema, {"a": 1, "b": 2}) == []
    assert errors(schema, {"a": 2, "b": 2}) == ["spec: Invalid value: failed rule: self.a < self.b"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "spec.a: Invalid value: \"x\": failed rule: self != 'x'"),
        ({"message": " no x "}, 'spec.a: Invalid value: "x": no x'),
        ({"messageExpression": "'not ' + self"}, 'spec.a: Invalid value: "x": not x'),
        ({"messageExpression": "self.substring(5)", "message": "no"}, 'spec.a: Invalid value: "x": no'),
        ({"messageExpression": "'a\\nb'", "message": "no"}, 'spec.a: Invalid value: "x": no'),
        ({"reason": "FieldValueForbidden", "message": "no"}, "spec.a: Forbidden: no"),
        ({"reason": "FieldValueRequired", "message": "no"}, "spec.a: Required value: no"),
        ({"reason": "FieldValueDuplicate", "message": "no"}, 'spec.a: Duplicate value: "x"'),
    ],
)
def test_rules_say_what_they_want_said(more: dict[str, str], said: str) -> None:
    text = {**TEXT, "x-kubernetes-validations": [{"rule": "self != 'x'", **more}]}
    assert errors({"type": "object", "properties": {"a": text}}, {"a": "x"}) == [said]


def test_a_rule_may_point_below_itself() -> None:
    schema = of({"rule": "false", "fieldPath": "['a'].b", "message": "no"}, a=of(b=TEXT))
    assert errors(schema, {"a": {"b": "x"}}) == ["spec.a.b: Invalid value: no"]


def test_rules_are_found_wherever_they_stand() -> None:
    positive = {**NUMBER, "x-kubernetes-validations": [{"rule": "self > 0", "message": "no"}]}
    schema = of(l={"type": "array", "items": positive}, m={"type": "object", "additionalProperties": positive})
    assert errors(schema, {"l": [1, 0], "m": {"k": -1}}) == [
        "spec.l[1]: Invalid value: 0: no",
        "spec.m[k]: Invalid value: -1: no",
    ]


@pytest.mark.parametrize(
    ("schema", "rule", "tree"),
    [
        ({"a-b": TEXT, "a.b": TEXT, "__x": TEXT}, "self.a__dash__b + self.a__dot__b + self.__underscores__x == '123'",
         {"a-b": "1", "a.b": "2", "__x": "3"}),
        ({"for": TEXT, "in": NUMBER}, "self.__for__ == 'x' && self.__in__ == 1", {"for": "x", "in": 1}),
        ({"a": {"type": "number"}}, "type(self.a) == double && self.a / 2.0 == 0.5", {"a": 1}),
        ({"a": {"type": "string", "format": "date-time"}}, "self.a < timestamp('2024-01-02T00:00:00Z')",
         {"a": "2024-01-01T23:59:59.5Z"}),
        ({"a": {"type": "string", "format": "date"}}, "self.a.getFullYear() == 2024", {"a": "2024-01-01"}),
        ({"a": {"type": "string", "format": "duration"}}, "self.a == duration('90m')", {"a": "1h30m"}),
        ({"a": {"type": "string", "format": "byte"}}, "self.a == b'hi'", {"a": "aGk="}),
        ({"a": {"x-kubernetes-int-or-string": True}}, "type(self.a) == int ? self.a > 1 : self.a.endsWith('%')",
         {"a": "5%"}),
        ({"a": {**NUMBER, "nullable": True}}, "!has(self.a)", {"a": None}),
        ({"a": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}},
         "self.a == ['y', 'x'] && self.a + ['x', 'z'] == ['x', 'y', 'z']", {"a": ["x", "y"]}),
        ({"a": {"type": "array", "items": of(k=TEXT, v=NUMBER), "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"]}},
         "self.a == self.a.filter(i, i.k == 'y') + self.a.filter(i, i.k == 'x') && size(self.a + [self.a[0]]) == 2",
         {"a": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]}),
        ({"a": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}}},
         "self.a.kind == 'Pod' && self.a.metadata.name == 'p'",
         {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}}),
        ({"a": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}, "has(self.a)", {"a": {"b": 1}}),
        ({"a": {"type": "array", "items": {"type": "number"}}}, "self.a.sum() == 3.5", {"a": [1, 2.5]}),
    ],
)  # fmt: skip
def test_self_has_the_types_of_its_schema(schema: Any, rule: str, tree: Any) -> None:
    assert errors(of({"rule": rule}, **schema), tree) == []


@pytest.mark.parametrize(
    ("rule", "tree", "said"),
    [
        ("self.a == 1", {}, "no such key: a evaluating rule: self.a == 1"),
        (
            "self.a / (self.a - self.a) > 0",
            {"a": 1},
            "division by zero evaluating rule: self.a / (self.a - self.a) > 0",
        ),
        (
            "self.q > 1",
            {"q": "x"},
            "'no such overload': call arguments did not match a supported operator, function or macro signature for "
            "rule: self.q > 1",
        ),
    ],
)
def test_a_rule_without_a_value_is_an_error_of_its_own(rule: str, tree: Any, said: str) -> None:
    schema = of({"rule": rule}, a=NUMBER, q={"x-kubernetes-int-or-string": True})
    assert errors(schema, tree) == [f'spec: Invalid value: "object": {said}']


class TestTransitions:
    """Rules that look at what was before."""

    fixed: ClassVar[dict[str, Any]] = {
        **TEXT,
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed"}],
    }

    def test_are_not_asked_of_what_is_new(self) -> None:
        assert errors(of(a=self.fixed), {"a": "x"}) == []
        assert errors(of(a=self.fixed), {"a": "x"}, {}) == []

    def test_compare_fields(self) -> None:
        assert errors(of(a=self.fixed), {"a": "x"}, {"a": "y"}) == ['spec.a: Invalid value: "x": fixed']

    def test_compare_elements_of_lists_that_are_maps_by_their_keys(self) -> None:
        items = of(k=TEXT, v=self.fixed)
        lists = {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
        new = {"l": [{"k": "b", "v": "2"}, {"k": "c", "v": "3"}, {"k": "a", "v": "9"}]}
        old = {"l": [{"k": "a", "v": "1"}, {"k": "b", "v": "2"}]}
        assert errors(of(l=lists), new, old) == ['spec.l[2].v: Invalid value: "9": fixed']

    def test_compare_values_of_maps(self) -> None:
        schema = of(m={"type": "object", "additionalProperties": self.fixed})
        assert errors(schema, {"m": {"a": "1", "b": "2"}}, {"m": {"a": "0"}}) == [
            'spec.m[a]: Invalid value: "1": fixed'
        ]

    def test_with_an_optional_old_self_are_always_asked(self) -> None:
        rule = {"rule": "oldSelf.hasValue() ? oldSelf.value() == self : self == 'first'", "optionalOldSelf": True}
        schema = of(a={**TEXT, "x-kubernetes-validations": [rule]})
        assert errors(schema, {"a": "first"}) == []
        assert errors(schema, {"a": "second"}, {"a": "second"}) == []
        assert len(errors(schema, {"a": "second"})) == 1
        assert len(errors(schema, {"a": "second"}, {"a": "first"})) == 1


class TestRatcheting:
    """What was wrong before and is as it was."""

    short: ClassVar[dict[str, Any]] = {
        **TEXT,
        "x-kubernetes-validations": [{"rule": "size(self) < 3", "message": "too long"}],
    }

    def test_is_a_warning(self) -> None:
        said = 'spec.a: Invalid value: "long": too long'
        assert found(of(a=self.short), {"a": "long", "b": 1}, {"a": "long"}) == ([], [said])
        assert found(of(a=self.short), {"a": "long"}, {"a": "other"}) == ([said], [])

    def test_reaches_what_lies_in_unchanged_lists(self) -> None:
        schema = of(l={"type": "array", "items": self.short})
        assert found(schema, {"l": ["long"]}, {"l": ["long"]})[0] == []
        assert found(schema, {"l": ["long", "a"]}, {"l": ["long"]})[1] == []

    def test_does_not_excuse_transitions(self) -> None:
        schema = of({"rule": "self.a == oldSelf.a && false"}, a=TEXT)
        assert found(schema, {"a": "x"}, {"a": "x"})[1] == []


def sized(rule: str, message: str) -> dict[str, Any]:
    """A version whose widgets' size has a rule."""
    size = {**NUMBER, "x-kubernetes-validations": [{"rule": rule, "message": message}]}
    return version(spec={"type": "object", "properties": {"size": size, "color": TEXT}})


def ruled(schema: dict[str, Any]) -> dict[str, Any]:
    return version(schema={"openAPIV3Schema": schema}, selectableFields=[])


async def test_every_write_is_judged_and_what_stays_wrong_is_told(api: Api) -> None:
    kind = await define(api, sized("self < 10", "big"))
    with pytest.raises(Invalid, match=r"spec\.size: Invalid value: 10: big"):
        await api.registry.create(asking("create", kind), widget(size=10))
    await api.registry.create(asking("create", kind), widget(size=9))
    definition = api.get("customresourcedefinitions", "widgets.example.com")
    definition["spec"]["versions"] = [sized("self < 5", "small")]
    await api.update("customresourcedefinitions", definition)
    await turn()
    kind = api.kind("widgets")
    with pytest.raises(Invalid, match="small"):  # though another object of this look was found good before
        await api.registry.create(asking("create", kind, "other"), widget("other", size=9))
    request = asking("patch", kind)
    await api.registry.patch(request, PatchType.MERGE, b'{"spec":{"color":"red"}}')
    assert "spec.size: Invalid value: 9: small" in request.warnings
    with pytest.raises(Invalid, match="small"):
        await api.registry.patch(asking("patch", kind), PatchType.MERGE, b'{"spec":{"size":8}}')


async def test_status_is_judged_by_its_rules_too(api: Api) -> None:
    status = of({"rule": "self.replicas >= 0", "message": "negative"}, replicas=NUMBER)
    kind = await define(api, ruled({"type": "object", "properties": {"status": status}}))
    await api.registry.create(asking("create", kind), widget())
    request = asking("patch", kind, subresource="status")
    with pytest.raises(Invalid, match="status: Invalid value: negative"):
        await api.registry.patch(request, PatchType.MERGE, b'{"status":{"replicas":-1}}')


async def test_the_root_knows_the_name(api: Api) -> None:
    kind = await define(api, ruled(of({"rule": "self.metadata.name.size() < 3 && self.kind == 'Widget'"})))
    await api.registry.create(asking("create", kind, "ab"), widget("ab"))
    with pytest.raises(Invalid, match="<nil>: Invalid value: failed rule"):
        await api.registry.create(asking("create", kind, "abc"), widget("abc"))


def test_one_rule_may_cost_so_much_and_no_more() -> None:
    schema = of({"rule": "self.l.all(a, self.l.all(b, a + b >= 0))"}, l={"type": "array", "items": NUMBER})
    [error] = errors(schema, {"l": list(range(1000))})
    assert error.startswith(
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further"
    )


def test_all_rules_of_an_object_may_cost_so_much_and_no_more() -> None:
    item = {**TEXT, "x-kubernetes-validations": [{"rule": "self.matches('^(a?){20}$') || true"}]}
    schema = of(l={"type": "array", "items": item})
    [error] = errors(schema, {"l": ["a" * 1000] * 100_000})
    why = "validation failed due to running out of cost budget, no further validation rules will be run"
    assert error.endswith(f'Invalid value: "string": {why}')


# --- properties ---

RULES = [
    {"rule": "self == self", "messageExpression": "string(type(self) == type(self))"},
    {"rule": "self == oldSelf", "message": "changed"},
    {"rule": "!oldSelf.hasValue() || oldSelf.value() == self", "optionalOldSelf": True},
]
LEAVES: list[dict[str, Any]] = [
    TEXT,
    NUMBER,
    {"type": "number"},
    {"type": "boolean", "nullable": True},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "byte"},
    {"type": "string", "format": "duration"},
    {"x-kubernetes-int-or-string": True},
]
NAMES = st.sampled_from(["a", "b", "a-b", "for"])


def ruled_at_random(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    rules = st.lists(st.sampled_from(RULES), max_size=2)
    return rules.map(lambda some: {**schema, "x-kubernetes-validations": some})


SCHEMAS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, max_size=3).map(lambda p: {"type": "object", "properties": p}),
        inner.map(lambda s: {"type": "object", "additionalProperties": s}),
        inner.map(lambda s: {"type": "array", "items": s}),
        inner.map(lambda s: {"type": "array", "items": s, "x-kubernetes-list-type": "set"}),
        inner.map(lambda s: {"type": "array", "items": s, "x-kubernetes-list-type": "map",
                             "x-kubernetes-list-map-keys": ["a"]}),
    ).flatmap(ruled_at_random),
    max_leaves=8,
)  # fmt: skip
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.sampled_from(["", "x", "1h", "2024-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(SCHEMAS, TREES, st.just(ABSENT) | TREES)
def test_whatever_an_object_holds_its_rules_have_an_answer(schema: Any, tree: Any, old: Any) -> None:
    """What is wrong with an object and stays may be of any shape, and its rules are asked nevertheless."""
    props = msgspec.convert({"type": "object", "properties": {"spec": schema}}, JSONSchemaProps)
    rules = rule_tree(props)
    if rules is None:
        return
    before = old if old is ABSENT else {"spec": old}
    for error in rules.check({"spec": tree}, before, []):
        assert str(error)
