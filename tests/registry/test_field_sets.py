"""Sets of field paths: their JSON form, their order, and the laws of their algebra."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.core_v1 import Container, ContainerPort, Pod, PodSpec, Service, ServicePort, ServiceSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.managed_fields.comparison import compare, field_set
from kcore.registry.managed_fields.field_sets import (
    FieldSet,
    canonical,
    difference,
    encode,
    intersection,
    leaves,
    path_text,
    paths,
    recursive_difference,
    select,
    union,
)
from kcore.registry.managed_fields.schemas import schema_of

ELEMENTS = st.sampled_from(
    ["f:a", "f:b", "f:spec", 'k:{"name":"x"}', 'k:{"port":80}', 'k:{"port":443}', 'v:"x"', "v:2", "i:0", "i:10"]
)
PATHS = st.lists(st.lists(ELEMENTS, min_size=1, max_size=3).map(tuple), max_size=8)


def of(listed: list[tuple[str, ...]]) -> FieldSet:
    found: FieldSet = None
    for path in listed:
        node: Any = {}
        for element in reversed(path):
            node = {element: node}
        found = union(found, node)
    return found


def set_of(fields: FieldSet) -> set[tuple[str, ...]]:
    return set(paths(fields))


@given(PATHS)
def test_sets_hold_the_paths_they_were_made_of(listed: list[tuple[str, ...]]) -> None:
    assert set_of(of(listed)) == set(listed)


@given(PATHS)
def test_fields_v1_is_read_back_as_the_set_that_was_written(listed: list[tuple[str, ...]]) -> None:
    fields = of(listed)
    data = encode(fields)
    again = canonical(msgspec.json.decode(data))
    assert set_of(again) == set_of(fields)
    assert encode(again) == data


@given(PATHS, PATHS)
def test_set_algebra_is_that_of_sets_of_paths(a: list[tuple[str, ...]], b: list[tuple[str, ...]]) -> None:
    assert set_of(union(of(a), of(b))) == set(a) | set(b)
    assert set_of(difference(of(a), of(b))) == set(a) - set(b)
    assert set_of(intersection(of(a), of(b))) == set(a) & set(b)


@given(PATHS, PATHS)
def test_recursive_difference_takes_what_lies_below_too(a: list[tuple[str, ...]], b: list[tuple[str, ...]]) -> None:
    below = {path for path in a if any(path[: len(gone)] == gone for gone in b)}
    assert set_of(recursive_difference(of(a), of(b))) == set(a) - below


@given(PATHS)
def test_leaves_have_no_path_below_them(a: list[tuple[str, ...]]) -> None:
    above = {path[:n] for path in a for n in range(1, len(path))}
    assert set_of(leaves(of(a))) == set(a) - above


@given(PATHS, PATHS)
def test_difference_that_takes_nothing_is_the_set_itself(a: list[tuple[str, ...]], b: list[tuple[str, ...]]) -> None:
    fields = of(a)
    if not set(a) & set(b):
        assert difference(fields, of(b)) is fields


def test_elements_are_ordered_as_upstream_orders_them() -> None:
    elements = ["i:2", "i:10", 'v:"a"', "v:3", 'k:{"port":443}', 'k:{"port":80}', "f:z", "."]
    fields: FieldSet = {element: {} for element in elements}
    assert list(msgspec.json.decode(encode(fields))) == [
        ".",
        "f:z",
        'k:{"port":80}',
        'k:{"port":443}',
        "v:3",
        'v:"a"',
        "i:2",
        "i:10",
    ]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"f:a": {".": {}}}, {"f:a": {}}),
        ({'k:{"port":80, "name":"x"}': {}}, {'k:{"name":"x","port":80}': {}}),
        ({"z:new": {}, "f:a": {}}, {"f:a": {}}),
        ({}, None),
    ],
)
def test_other_spellings_of_a_set_are_understood(tree: Any, expected: Any) -> None:
    assert canonical(tree) == expected


@pytest.mark.parametrize("tree", [[], {"f:a": 1}, {"bogus": {}}, {"k:[1]": {}}, {"i:x": {}}, {"k:{": {}}])
def test_what_is_no_set_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are for nobody
        canonical(tree)


def test_pattern_selects_below_any_element() -> None:
    fields = of([("f:spec", 'k:{"name":"x"}', "f:a"), ("f:spec", 'k:{"name":"x"}', "f:b"), ("f:b",)])
    assert set_of(select(fields, {"f:spec": {"*": {"f:a": {}}}})) == {("f:spec", 'k:{"name":"x"}', "f:a")}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name"), '.ports[port=80,protocol="TCP"].name'),
        (("f:finalizers", 'v:"a"'), '.finalizers[="a"]'),
        (("f:list", "i:3"), ".list[3]"),
    ],
)
def test_paths_are_shown_as_upstream_shows_them(path: tuple[str, ...], text: str) -> None:
    assert path_text(path) == text


# --- the sets of objects ---


@pytest.mark.parametrize(
    ("config", "owned"),
    [
        ({"metadata": {"labels": {"a": "b"}}}, {"f:metadata": {"f:labels": {"f:a": {}}}}),
        ({"metadata": {"labels": {}}}, {"f:metadata": {"f:labels": {}}}),
        ({"metadata": {"finalizers": ["x/y"]}}, {"f:metadata": {"f:finalizers": {'v:"x/y"': {}}}}),
        ({"spec": {"ports": []}}, None),
        ({"spec": {"type": None}}, {"f:spec": {"f:type": {}}}),
        ({"spec": {"selector": {"a": "b"}}}, {"f:spec": {"f:selector": {}}}),
        ({"spec": {"clusterIPs": ["None"]}}, {"f:spec": {"f:clusterIPs": {}}}),
        (
            {"spec": {"ports": [{"port": 80}]}},
            {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}},
        ),
    ],
)
def test_configuration_owns_its_leaves_and_elements(config: Any, owned: Any) -> None:
    assert field_set(schema_of(Service), config) == owned


def test_typed_and_plain_objects_compare_alike() -> None:
    container = Container(name="c", image="i", ports=(ContainerPort(container_port=80, protocol="UDP"),))
    old = Pod(metadata=ObjectMeta(name="p", labels={"a": "1"}), spec=PodSpec(containers=(container,)))
    new = Pod(
        metadata=ObjectMeta(name="p", labels={"a": "2", "b": ""}),
        spec=PodSpec(containers=(container, Container(name="d")), active_deadline_seconds=0),
    )
    schema = schema_of(Pod)
    trees = [msgspec.json.decode(msgspec.json.encode(obj)) for obj in (old, new)]
    assert compare(schema, old, new) == compare(schema, *trees)
    assert compare(schema, new, old) == compare(schema, *reversed(trees))


def test_what_was_empty_is_owned_with_what_it_is_given() -> None:
    """Go writes some fields even when they are empty: what is put into those does not own them."""
    spec = ServiceSpec(ports=(ServicePort(port=80),), selector={"a": "b"})
    changed = compare(schema_of(Service), Service(), Service(spec=spec)).changed
    port: dict[str, Any] = {".": {}, "f:port": {}}
    assert changed is not None
    assert changed["f:spec"] == {
        "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {**port, "f:targetPort": {}}},
        "f:selector": {},
    }


def test_duplicates_are_owned_as_one() -> None:
    schema = schema_of(Service)
    twice = {"spec": {"ports": [{"port": 80}, {"port": 80, "name": "x"}]}}
    element = 'k:{"port":80,"protocol":"TCP"}'
    assert field_set(schema, twice) == {"f:spec": {"f:ports": {element: {}}}}
    once = {"spec": {"ports": [{"port": 80}]}}
    assert compare(schema, once, twice).changed == {"f:spec": {"f:ports": {element: {}}}}
