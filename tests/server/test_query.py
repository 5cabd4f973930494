from __future__ import annotations

import pytest

from kcore.api.errors import BadRequest, Invalid
from kcore.server.query import delete_options, list_options, parse_query, write_options


def test_first_of_repeated_values_counts_but_all_are_kept() -> None:
    query = parse_query("dryRun=All&dryRun=None")
    assert query.get("dryRun") == "All"
    assert query.all("dryRun") == ("All", "None")


@pytest.mark.parametrize(
    ("text", "value"), [("x", True), ("x=", True), ("x=yes", True), ("x=0", False), ("x=False", False), ("y=1", False)]
)
def test_only_absence_and_an_explicit_no_are_false(text: str, value: bool) -> None:
    assert parse_query(text).flag("x") is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("limit=1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ("timeoutSeconds=9223372036854775808", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
    ],
)
def test_numbers_that_are_none_are_refused_in_go_words(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        list_options(parse_query(text))
    assert caught.value.message == message


def test_list_options_say_what_the_query_says() -> None:
    options = list_options(parse_query("labelSelector=a%3Db&limit=-1&resourceVersion=5&sendInitialEvents=0"))
    assert (options.label_selector, options.limit, options.resource_version) == ("a=b", -1, "5")
    assert options.send_initial_events is False
    assert options.timeout_seconds is None


@pytest.mark.parametrize(
    ("verb", "text", "message"),
    [
        (
            "create",
            "dryRun=Server",
            'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Server"]: supported values: "All"',
        ),
        (
            "update",
            "fieldValidation=strict",
            'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "strict": '
            'supported values: "", "Ignore", "Strict", "Warn"',
        ),
        (
            "patch",
            "force=true",
            'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
        ),
        (
            "create",
            f"fieldManager={'m' * 129}",
            'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
        ),
    ],
)
def test_bad_options_are_named_by_their_kind(verb: str, text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        write_options(parse_query(text), verb)
    assert caught.value.message == message


def test_apply_needs_a_field_manager() -> None:
    with pytest.raises(Invalid, match="fieldManager: Required value: is required for apply patch"):
        write_options(parse_query(""), "patch", apply=True)


def test_delete_without_a_body_takes_its_options_from_the_query() -> None:
    options = delete_options(parse_query("gracePeriodSeconds=0&propagationPolicy=Foreground&dryRun=All"))
    assert (options.grace_period_seconds, options.propagation_policy, options.dry_run) == (0, "Foreground", ("All",))
