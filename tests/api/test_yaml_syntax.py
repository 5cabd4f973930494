"""YAML means what sigs.k8s.io/yaml takes it to mean."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", 1000),
        ("1.5", 1.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("010", 8),
        ("0o10", 8),
        ("09", 9),
        ("yes", True),
        ("Off", False),
        ("n", False),
        ("yEs", "yEs"),
        ("~", None),
        ("", None),
        ("'yes'", "yes"),
        ("!!str 5", "5"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("1.2.3", "1.2.3"),
        ("-", [None]),
    ],
)
def test_scalar_is_resolved_as_go_yaml_does(text: str, value: Any) -> None:
    assert parse_yaml(text.encode()).tree == value


def test_keys_become_text() -> None:
    assert parse_yaml(b"{1: a, yes: b, 1.5: c}").tree == {"1": "a", "true": "b", "1.5": "c"}


def test_repeated_keys_are_told_with_their_lines_and_the_last_counts() -> None:
    tree, repeated = parse_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert tree == {"a": 3, "b": {"c": 2}}
    assert repeated == ('line 4: key "c" already set in map', 'line 5: key "a" already set in map')


def test_only_the_first_document_counts() -> None:
    assert parse_yaml(b"---\na: 1\n---\nb: [\n").tree == {"a": 1}


def test_anchors_and_merge_keys_are_expanded() -> None:
    assert parse_yaml(b"base: &b {x: 1, z: 2}\nmore: {<<: *b, z: 3}\n").tree["more"] == {"x": 1, "z": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [b", "yaml: line 1: did not find expected ',' or ']'"),
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
        ("a: 1\n  b: 2\n", "yaml: line 2: mapping values are not allowed in this context"),
        ("a: *x", "yaml: unknown anchor 'x' referenced"),
        ("[1]: a", "yaml: unsupported map key: neither text, number nor boolean"),
        ("a: .inf", "yaml: json: unsupported value: inf"),
    ],
)
def test_text_that_is_no_yaml_is_refused_in_go_yamls_words(text: str, message: str) -> None:
    with pytest.raises(YAMLSyntaxError) as error:
        parse_yaml(text.encode())
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000 + "x", "{a: " * 100_000])
def test_deep_nesting_is_an_error_not_a_crash(text: str) -> None:
    with pytest.raises(YAMLSyntaxError):
        parse_yaml(text.encode())


def test_aliases_cannot_grow_without_bound() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(YAMLSyntaxError, match="excessive aliasing"):
        parse_yaml("\n".join(lines).encode())


@given(st.text(alphabet="ab:-[]{}#&*!|>'\" \n1.0", max_size=40))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    with suppress(YAMLSyntaxError):
        parse_yaml(text.encode())
