# ruff: noqa: E501  # cases stay on one line
"""Strategic merge patches merge lists by key and obey their directives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.apps_v1 import Deployment
from kcore.api.core_v1 import ConfigMap, Pod
from kcore.api.errors import BadRequest
from kcore.api.schema import Struct
from kcore.api.shape import shape_of
from kcore.registry.patching.strategic_merge import strategic_merge


def merged(before: Any, patch: Any, type_: type[Struct] = Pod) -> Any:
    return strategic_merge(before, patch, shape_of(type_))


def containers(*items: Any, **more: Any) -> Any:
    return {"spec": {"containers": list(items), **more}}


A, B = {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ([A, B], [{"name": "b", "image": "b:2"}], [A, {"name": "b", "image": "b:2"}]),
        ([A, B], [{"name": "c"}], [{"name": "c"}, A, B]),
        ([A, B], [{"name": "c"}, {"name": "b", "image": "b:2"}], [{"name": "c"}, A, {"name": "b", "image": "b:2"}]),
        ([A, B], [{"name": "a", "$patch": "delete"}], [B]),
        ([A], [{"name": "none", "$patch": "delete"}], [A]),
        ([A, B], [{"$patch": "replace"}, {"name": "c"}], [{"name": "c"}]),
        ([A], [{"name": "a", "args": ["x"]}], [{**A, "args": ["x"]}]),
        ([{**A, "args": ["x"]}], [{"name": "a", "args": None}], [A]),
        ([], [{"name": "a", "image": None, "env": [{"name": "x", "$patch": "delete"}]}], [{"name": "a", "env": []}]),
    ],
)  # fmt: skip
def test_list_with_merge_key_is_merged_by_element(before: Any, patch: Any, after: Any) -> None:
    tree = merged(containers(*map(dict, before)), containers(*map(dict, patch)))
    assert tree["spec"]["containers"] == after


def test_atomic_list_is_replaced() -> None:
    before = {"spec": {"tolerations": [{"key": "a"}]}}
    assert merged(before, {"spec": {"tolerations": [{"key": "b"}]}}) == {"spec": {"tolerations": [{"key": "b"}]}}


def test_list_of_scalars_is_united_in_the_order_of_the_patch() -> None:
    tree = merged({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["c"]}})
    assert tree["metadata"]["finalizers"] == ["c", "a", "b"]


def test_scalars_are_taken_out_of_a_list() -> None:
    tree = merged(
        {"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    )
    assert tree["metadata"]["finalizers"] == ["b"]


def test_order_is_set_for_a_list() -> None:
    patch = containers({"name": "b", "args": ["x"]}, **{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})
    tree = merged(containers(dict(A), dict(B)), patch)
    assert [c["name"] for c in tree["spec"]["containers"]] == ["b", "a"]
    patch = {"metadata": {"$setElementOrder/finalizers": ["b", "a"], "finalizers": ["b"]}}
    assert merged({"metadata": {"finalizers": ["a"]}}, patch)["metadata"]["finalizers"] == ["b", "a"]


def test_order_keeps_what_only_the_server_has_in_its_place() -> None:
    before = containers({"name": "a"}, {"name": "server"}, {"name": "b"})
    patch = {"spec": {"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}]}}
    assert [c["name"] for c in merged(before, patch)["spec"]["containers"]] == ["a", "server", "b"]


def test_retained_keys_drop_all_others() -> None:
    before = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merged(before, patch, Deployment) == {"spec": {"strategy": {"type": "Recreate"}}}


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"$patch": "replace", "z": "1"}, {"z": "1"}),
        ({"$patch": "delete"}, {}),
        ({"a": None, "z": "1"}, {"z": "1"}),
        ({}, {"a": "0"}),
    ],
)
def test_map_is_replaced_emptied_or_merged(patch: Any, after: Any) -> None:
    assert merged({"data": {"a": "0"}}, {"data": patch}, ConfigMap) == {"data": after}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (containers({"image": "x"}), "map: map[image:x] does not contain declared merge key: name"),
        (containers({"name": "a", "$patch": "explode"}), "unknown patch type: explode in map: map[$patch:explode name:a]"),
        (containers({"name": "a", "$patch": "merge"}), "merging lists cannot yet be specified in the patch"),
        ({"metadata": {"$patch": "explode"}}, "unknown patch type: explode in map: map[$patch:explode]"),
        ({"metadata": {"$retainKeys": ["x"], "name": "y"}}, "invalid patch format of retainKeys"),
        (containers({"name": "b", "args": ["q"]}, **{"$setElementOrder/containers": [{"name": "a"}]}),
         "The order in patch list:\n[map[args:[q] name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n"),
        ({"spec": {"$setElementOrder/containers": "a"}}, "invalid patch format of setElementOrder list"),
    ],
)  # fmt: skip
def test_patch_that_makes_no_sense_is_refused_in_upstreams_words(patch: Any, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        merged({"metadata": {"name": "p"}, **containers(dict(A))}, patch)
    assert error.value.message == message


names = st.lists(st.sampled_from("abcde"), unique=True)


def difference(before: list[str], after: list[str]) -> Any:
    """The patch that kubectl would send to make one list of containers of the other."""
    changes: list[Any] = [{"name": n, "image": f"{n}:2"} for n in after]
    changes += [{"name": n, "$patch": "delete"} for n in before if n not in after]
    return containers(*changes, **{"$setElementOrder/containers": [{"name": n} for n in after]})


@given(names, names)
def test_difference_patches_one_list_into_the_other(before: list[str], after: list[str]) -> None:
    tree = merged(containers(*({"name": n, "image": f"{n}:1"} for n in before)), difference(before, after))
    assert tree["spec"]["containers"] == [{"name": n, "image": f"{n}:2"} for n in after]


@given(names, names, names)
def test_deletions_and_additions_never_duplicate_names(
    standing: list[str], added: list[str], deleted: list[str]
) -> None:
    patch = [{"name": n} for n in added] + [{"name": n, "$patch": "delete"} for n in deleted if n not in added]
    tree = merged(containers(*({"name": n} for n in standing)), containers(*patch))
    found = [c["name"] for c in tree["spec"]["containers"]]
    assert sorted(found) == sorted((set(standing) - set(deleted)) | set(added))
