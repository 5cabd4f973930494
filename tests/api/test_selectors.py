"""Selectors are parsed, matched, written and refused as apimachinery does."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.field import Path
from kcore.api.meta_v1 import LabelSelector, LabelSelectorRequirement
from kcore.api.selectors import (
    EVERYTHING,
    NOTHING,
    FieldRequirement,
    SelectorError,
    parse_field_selector,
    parse_label_selector,
    selector_from_labels,
    selector_from_struct,
    validate_label_selector,
)

WEB = {"app": "web", "n": "2"}
BARE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("text", "web", "bare"),
    [
        ("", True, True),
        ("app=web", True, False),
        ("app==web", True, False),
        ("app!=web", False, True),
        ("app in (web,db)", True, False),
        ("app notin (web)", False, True),
        ("app notin(db)", True, True),
        ("app", True, False),
        ("!app", False, True),
        ("n>1", True, False),
        ("n<2", False, False),
        ("app>1", False, False),
        ("app=web,n=2", True, False),
        ("app=web,n=3", False, False),
        ("app in ()", False, False),
        ("in in (in)", False, False),
        ("app in (web,)", True, False),
    ],
)
def test_selector_matches(text: str, web: bool, bare: bool) -> None:
    selector = parse_label_selector(text)
    assert (selector.matches(WEB), selector.matches(BARE)) == (web, bare)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in web", "unable to parse requirement: found 'web' expected: '('"),
        ("a in (!)", "unable to parse requirement: found '!', expected: ',', ')' or identifier"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        ("!=x", "found '!=', expected: !, identifier, or 'end of string'"),
        (
            "n>x",
            'unable to parse requirement: values[0]: Invalid value: "x": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("/x", 'unable to parse requirement: <nil>: Invalid value: "/x": prefix part must be non-empty'),
    ],
)
def test_text_that_is_no_selector_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as error:
        parse_label_selector(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("b, a = x ", "a=x,b"),
        ("a in (z,y)", "a in (y,z)"),
        ("a==1,!c,b notin (1)", "a==1,b notin (1),!c"),
        ("n>1,n<3", "n>1,n<3"),
    ],
)
def test_selector_is_written_sorted(text: str, canonical: str) -> None:
    assert str(parse_label_selector(text)) == canonical


words = st.text("abcxyz019", min_size=1, max_size=6)
requirements = st.one_of(
    words,
    st.builds("!{}".format, words),
    st.builds("{}{}{}".format, words, st.sampled_from(["=", "==", "!="]), words),
    st.builds(
        lambda k, op, vs: f"{k} {op} ({','.join(vs)})",
        words,
        st.sampled_from(["in", "notin"]),
        st.lists(words, min_size=1),
    ),
    st.builds("{}{}{}".format, words, st.sampled_from("<>"), st.integers(0, 99)),
)


@given(st.lists(requirements), st.dictionaries(words, words))
def test_canonical_text_means_the_same_selector(parts: list[str], labels: dict[str, str]) -> None:
    selector = parse_label_selector(",".join(parts))
    again = parse_label_selector(str(selector))
    assert str(again) == str(selector)
    assert again.matches(labels) == selector.matches(labels)


@given(st.text(alphabet="ab=!(),<> in\\/", max_size=20))
def test_any_text_is_a_selector_or_a_selector_error(text: str) -> None:
    for parse in (parse_label_selector, parse_field_selector):
        with suppress(SelectorError):
            assert isinstance(str(parse(text)), str)


def test_absent_struct_selects_nothing_and_empty_struct_everything() -> None:
    assert selector_from_struct(None) is NOTHING
    assert not NOTHING.matches({})
    assert not NOTHING.empty
    assert selector_from_struct(LabelSelector()) is EVERYTHING


def test_struct_selector_joins_labels_and_expressions() -> None:
    struct = LabelSelector(
        match_labels={"app": "web"},
        match_expressions=(LabelSelectorRequirement(key="n", operator="In", values=("2", "1")),),
    )
    selector = selector_from_struct(struct)
    assert str(selector) == "app=web,n in (1,2)"
    assert selector.matches(WEB)
    assert selector.exact("app") == "web"
    assert selector.exact("n") is None


def test_struct_with_unknown_operator_is_refused() -> None:
    struct = LabelSelector(match_expressions=(LabelSelectorRequirement(key="n", operator="Like"),))
    with pytest.raises(SelectorError, match='"Like" is not a valid label selector operator'):
        selector_from_struct(struct)


def test_invalid_struct_is_told_field_by_field() -> None:
    struct = LabelSelector(
        match_labels={"a": "b c"},
        match_expressions=(
            LabelSelectorRequirement(key="x", operator="In"),
            LabelSelectorRequirement(key="x", operator="Exists", values=("1",)),
            LabelSelectorRequirement(key="", operator="Like"),
        ),
    )
    errors = validate_label_selector(struct, Path("spec") / "selector")
    assert [e.field for e in errors] == [
        "spec.selector.matchLabels",
        "spec.selector.matchExpressions[0].values",
        "spec.selector.matchExpressions[1].values",
        "spec.selector.matchExpressions[2].operator",
        "spec.selector.matchExpressions[2].key",
        "spec.selector.matchExpressions[2].key",
    ]
    assert errors[1].body == "Required value: must be specified when `operator` is 'In' or 'NotIn'"


def test_labels_become_equalities() -> None:
    assert str(selector_from_labels({"b": "2", "a": "1"})) == "a=1,b=2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=x", [("metadata.name", "x", True)]),
        ("a==b,c!=d", [("a", "b", True), ("c", "d", False)]),
        ("spec.nodeName=", [("spec.nodeName", "", True)]),
        (r"a=b\,c\=d\\e", [("a", r"b,c=d\e", True)]),
        (",,", []),
    ],
)
def test_field_selector_is_parsed(text: str, expected: list[tuple[str, str, bool]]) -> None:
    selector = parse_field_selector(text)
    assert list(selector.requirements) == [FieldRequirement(*e) for e in expected]
    assert parse_field_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=b\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_text_that_is_no_field_selector_is_refused(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as error:
        parse_field_selector(text)
    assert str(error.value) == message


def test_field_selector_reads_absent_fields_as_empty() -> None:
    selector = parse_field_selector("spec.nodeName=,status.phase!=Running")
    assert selector.matches({"status.phase": "Pending"})
    assert not selector.matches({"spec.nodeName": "n1"})
    assert selector.exact("spec.nodeName") == ""
    assert selector.exact("status.phase") is None
