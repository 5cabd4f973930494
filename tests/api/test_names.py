"""Names are checked with upstream's rules and words."""

import pytest

from kcore.api import names
from kcore.api.names import NameCheck

CASES: list[tuple[NameCheck, str, list[str]]] = [
    (names.dns1123_label, "my-name", []),
    (names.dns1123_label, "a.b", ["must not contain dots"]),
    (names.dns1123_label, "a" * 64, ["must be no more than 63 characters"]),
    (names.dns1123_label, "a\n", [names.dns1123_label("A")[0]]),
    (names.dns1123_subdomain, "a.b-c", []),
    (names.dns1123_subdomain, "a" * 254, ["must be no more than 253 characters"]),
    (names.dns1123_subdomain_with_underscore, "_a.b_c", []),
    (names.dns1035_label, "a1", []),
    (names.label_key, "example.com/My.name", []),
    (names.label_key, "/x", ["prefix part must be non-empty"]),
    (names.label_key, "k" * 64, ["name part must be no more than 63 bytes"]),
    (names.label_value, "", []),
    (names.label_value, "v" * 64, ["must be no more than 63 bytes"]),
    (names.prefixed_label_key, "plain", ["must include a prefix (e.g. 'example.com/key')"]),
    (names.path_segment_name, "..", ["may not be '..'"]),
    (names.path_segment_name, "a/b%c", ["may not contain '/'", "may not contain '%'"]),
    (names.port_name, "http", []),
    (names.port_name, "-80-", ["must contain at least one letter (a-z)", "must not begin or end with a hyphen"]),
    (names.port_name, "averyverylongportname", ["must be no more than 15 characters"]),
    (names.env_var_name, "..a", ["must not start with '..'"]),
    (names.relaxed_env_var_name, "1 a!", []),
    (names.config_map_key, "..", ["must not be '..'"]),
    (names.wildcard_dns1123_subdomain, "*.example.com", []),
]


@pytest.mark.parametrize(("check", "value", "errors"), CASES)
def test_check_says_what_is_wrong(check: NameCheck, value: str, errors: list[str]) -> None:
    assert check(value) == errors


def test_bad_subdomain_is_told_the_rule_and_an_example() -> None:
    assert names.dns1123_subdomain("W") == [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]


def test_two_examples_are_joined_as_upstream_joins_them() -> None:
    assert names.label_value("b c")[0].endswith(
        "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    )


def test_ports_and_ids_have_ranges() -> None:
    assert names.port_number(0) == ["must be between 1 and 65535, inclusive"]
    assert names.user_id(-1) == ["must be between 0 and 2147483647, inclusive"]
    assert names.group_id(0) == []


def test_annotations_are_measured_in_bytes() -> None:
    assert names.annotations_size({"a": "é", "bc": ""}) == 5
