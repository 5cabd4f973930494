# cases stay on one line
"""Merge patches follow RFC 7386."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.registry.patching.merge_patch import merge_patch


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patch_is_merged(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


leaves = st.integers(0, 2) | st.text("xy", max_size=1) | st.booleans()
trees = st.recursive(leaves, lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("abc"), v, max_size=3))
documents = st.dictionaries(st.sampled_from("abc"), trees)


def difference(before: Any, after: Any) -> Any:
    """The merge patch that makes one document of another; needs no null in `after`."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    patch = {k: None for k in before if k not in after}
    return {**patch, **{k: difference(before.get(k), v) for k, v in after.items() if k not in before or before[k] != v}}


@given(documents, documents)
def test_difference_patches_one_document_into_the_other(before: Any, after: Any) -> None:
    patch = difference(before, after)
    assert merge_patch(before, patch) == after
    assert merge_patch(after, patch) == after


@given(documents, documents)
def test_target_is_not_changed(target: Any, patch: Any) -> None:
    copy = merge_patch(target, {})
    merge_patch(target, patch)
    assert copy == target
