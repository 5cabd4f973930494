# cases stay on one line
"""JSON patches apply as upstream's library applies them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.errors import ApiError, BadRequest, Invalid, RequestEntityTooLarge
from kcore.registry.patching.json_patch import apply_operations, parse_operations

GENERIC = "the server rejected our request due to an error in our request"


def patched(tree: Any, *operations: Any) -> Any:
    parsed, _ = parse_operations(msgspec.json.encode(operations))
    return apply_operations(tree, parsed)


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({"a": {}}, {"op": "add", "path": "/a/b", "value": 1}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-1", "value": 3}, {"a": [1, 2, 3]}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": None}, {"a": None}),
        ({}, {"op": "replace", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/-1"}, {"a": [1]}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/a~1b"}, {"m~n": 2}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
        ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
        ({"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": {"x": 1}, "b": {"x": 1}}),
        ({"a": 1}, {"op": "test", "path": "/b", "value": None}, {"a": 1}),
        ({"a": 1}, {"op": "add", "path": "ignored/b", "value": 2}, {"a": 1, "b": 2}),
    ],
)
def test_operation_applies(before: Any, operation: Any, after: Any) -> None:
    assert patched(before, operation) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "remove", "path": "/none"},
        {"op": "add", "path": "/none/deep", "value": 1},
        {"op": "add", "path": "/a/9", "value": 1},
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "move", "from": "/none", "path": "/b"},
        {"op": "bogus", "path": "/a"},
        {"op": "add", "value": 1},
        {"path": "/a"},
    ],
)
def test_operation_that_does_not_apply_is_refused_without_a_reason(operation: Any) -> None:
    with pytest.raises(Invalid) as error:
        patched({"a": [1]}, operation)
    assert error.value.message == GENERIC


def test_copies_are_independent() -> None:
    tree = patched(
        {"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/x", "value": 2}
    )
    assert tree == {"a": {"x": 1}, "b": {"x": 2}}


def test_copying_cannot_grow_without_bound() -> None:
    operations = [{"op": "add", "path": "/a0", "value": "x" * 1000}]
    operations += [{"op": "copy", "from": "/a", "path": "/a/x"}] * 100
    with pytest.raises(RequestEntityTooLarge, match="exceeding the limit 3145728"):
        patched({"a": {"y": "x" * 1000}}, *operations)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        (b'"x"', "json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp"),
        (b"[5]", "json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        (b'[{"op":5}]', "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
        (b"[{", "unexpected end of JSON input"),
    ],
)
def test_document_that_is_no_patch_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        parse_operations(body)
    assert error.value.message == f"error decoding patch: {message}"


def test_too_many_operations_are_refused() -> None:
    with pytest.raises(RequestEntityTooLarge, match="maximum operations in a JSON patch is 10000, got 10001"):
        parse_operations(b"[" + b",".join([b"{}"] * 10_001) + b"]")


def test_unknown_and_repeated_members_are_found() -> None:
    _, findings = parse_operations(b'[{"op":"test","path":"/a","foo":1},{"op":"add","op":"test","path":"/a"}]')
    assert findings == ('json patch unknown field "[0].foo"', 'json patch duplicate field "[1].op"')


values = st.recursive(
    st.none() | st.integers(0, 3) | st.booleans(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from("ab~/"), v)
)
pointers = st.lists(st.sampled_from(["a", "b", "0", "-1", "-", "~0", "~1", ""]), max_size=3).map(
    lambda p: "".join(f"/{x}" for x in p)
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": pointers},
    optional={"from": pointers, "value": values},
)


@given(st.dictionaries(st.sampled_from("ab~/"), values), st.lists(operations, max_size=5))
def test_any_patch_gives_a_tree_or_an_error(tree: Any, steps: list[Any]) -> None:
    try:
        result = patched(tree, *steps)
    except ApiError as e:
        result = {"code": e.code}
    assert isinstance(result, dict)
