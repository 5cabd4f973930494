from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.errors import BadRequest, Expired, Invalid, Timeout
from kcore.registry.versions import Continue, decode_continue, encode_continue
from tests.registry.conftest import Api


async def fill(api: Api, count: int = 7) -> list[int]:
    """config maps c0, c1, ... with a label `odd`; the revision of each."""
    revisions = []
    for i in range(count):
        await api.create("configmaps", {"metadata": {"name": f"c{i}", "labels": {"odd": str(i % 2)}}})
        revisions.append(api.store.revision)
    return revisions


async def test_pages_are_of_one_revision(api: Api) -> None:
    await fill(api)
    first = api.list("configmaps", limit=3)
    await api.delete("configmaps", "c4")
    await api.create("configmaps", {"metadata": {"name": "c3a"}})
    second = api.list("configmaps", limit=3, continue_=first.continue_)
    third = api.list("configmaps", limit=3, continue_=second.continue_)
    pages = [[r.obj.metadata.name for r in page.records] for page in (first, second, third)]
    assert pages == [["c0", "c1", "c2"], ["c3", "c4", "c5"], ["c6"]]
    assert [p.remaining_item_count for p in (first, second, third)] == [4, 1, None]
    assert first.resource_version == second.resource_version == third.resource_version
    assert third.continue_ == ""


async def test_continue_tokens_look_like_upstreams(api: Api) -> None:
    await fill(api)
    page = api.list("configmaps", limit=2)
    token = json.loads(base64.urlsafe_b64decode(page.continue_ + "=="))
    assert token == {"v": "meta.k8s.io/v1", "rv": int(page.resource_version), "start": "c1\0"}


async def test_pages_with_a_selector_do_not_say_how_much_is_left(api: Api) -> None:
    await fill(api)
    page = api.list("configmaps", limit=2, label_selector="odd=1")
    assert [r.obj.metadata.name for r in page.records] == ["c1", "c3"]
    assert page.continue_
    assert page.remaining_item_count is None
    rest = api.list("configmaps", limit=2, label_selector="odd=1", continue_=page.continue_)
    assert [r.obj.metadata.name for r in rest.records] == ["c5"]
    assert rest.continue_ == ""


async def test_pages_cross_namespaces(api: Api) -> None:
    await api.create("namespaces", {"metadata": {"name": "other"}})
    await fill(api, 2)
    await api.create("configmaps", {"metadata": {"name": "o"}}, api.request("create", "configmaps", namespace="other"))
    first = api.list("configmaps", "", limit=2)
    rest = api.list("configmaps", "", limit=2, continue_=first.continue_)
    assert [r.key for r in (*first.records, *rest.records)] == [
        "configmaps/ns/c0",
        "configmaps/ns/c1",
        "configmaps/other/o",
    ]


async def test_expired_token_offers_to_go_on_without_consistency(forgetful: Api) -> None:
    await fill(forgetful)
    page = forgetful.list("configmaps", limit=3)
    await fill_more(forgetful)
    with pytest.raises(Expired, match="The provided continue parameter is too old") as expiry:
        forgetful.list("configmaps", limit=3, continue_=page.continue_)
    token = expiry.value.status.metadata.continue_
    rest = forgetful.list("configmaps", continue_=token)
    assert [r.obj.metadata.name for r in rest.records] == ["c3", "c4", "c5", "c6", "d0", "d1", "d2"]
    assert rest.resource_version == str(forgetful.store.revision)


async def fill_more(api: Api) -> None:
    for i in range(3):
        await api.create("configmaps", {"metadata": {"name": f"d{i}"}})


async def test_list_at_an_exact_revision(api: Api) -> None:
    revisions = await fill(api)
    options = {"resource_version": str(revisions[2]), "resource_version_match": "Exact"}
    page = api.list("configmaps", **options)
    assert [r.obj.metadata.name for r in page.records] == ["c0", "c1", "c2"]
    assert page.resource_version == str(revisions[2])
    assert api.list("configmaps", limit=2, **options).remaining_item_count == 1


async def test_a_version_with_a_limit_is_exact(api: Api) -> None:
    revisions = await fill(api)
    page = api.list("configmaps", resource_version=str(revisions[2]), limit=2)
    assert page.resource_version == str(revisions[2])


@pytest.mark.parametrize("match", ["", "NotOlderThan"])
async def test_a_version_alone_is_a_lower_bound(api: Api, match: str) -> None:
    revisions = await fill(api)
    page = api.list("configmaps", resource_version=str(revisions[2]), resource_version_match=match)
    assert len(page.records) == 7
    assert page.resource_version == str(revisions[-1])


async def test_version_zero_ignores_the_limit(api: Api) -> None:
    await fill(api)
    assert len(api.list("configmaps", resource_version="0", limit=2).records) == 7


async def test_future_versions_are_too_large(api: Api) -> None:
    with pytest.raises(Timeout, match=r"Timeout: Too large resource version: 99999, current: \d+"):
        api.list("configmaps", resource_version="99999")
    with pytest.raises(Timeout):
        api.list("configmaps", resource_version="99999", resource_version_match="Exact")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"resource_version_match": "Exact"},
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"resource_version_match": "Exact", "resource_version": "0"},
            'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        (
            {"resource_version_match": "Odd", "resource_version": "1"},
            'resourceVersionMatch: Unsupported value: "Odd": supported values: "Exact", "NotOlderThan", ""',
        ),
        ({"send_initial_events": True}, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
    ],
)
async def test_contradictory_options(api: Api, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        api.list("configmaps", **options)
    assert refusal.value.message == f'ListOptions.meta.k8s.io "" is invalid: {message}'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"continue_": "garbage"},
            "invalid continue token: continue key is not valid: "
            "invalid character '\\u0081' looking for beginning of value",
        ),
        (
            {"continue_": "Z2FyYmFnZQ"},
            "invalid continue token: continue key is not valid: invalid character 'g' looking for beginning of value",
        ),
        ({"continue_": "!"}, "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"),
        (
            {"continue_": encode_continue(Continue(3, "a")), "resource_version": "5"},
            "specifying resource version is not allowed when using continue",
        ),
        (
            {"resource_version": "abc"},
            'invalid resource version: resourceVersion: Invalid value: "abc": '
            'strconv.ParseUint: parsing "abc": invalid syntax',
        ),
        (
            {"field_selector": "data.x=1"},
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ({"field_selector": "metadata.name"}, "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ({"label_selector": "a b"}, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ],
)
async def test_bad_queries(api: Api, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        api.list("configmaps", **options)
    assert refusal.value.message == message


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=c1", ["c1"]),
        ("metadata.name!=c1", ["c0", "c2"]),
        ("metadata.name=c1,metadata.namespace=ns", ["c1"]),
        ("metadata.name=c1,metadata.namespace=other", []),
        ("metadata.name=none", []),
        ("", ["c0", "c1", "c2"]),
    ],
)
@pytest.mark.parametrize("namespace", ["ns", ""])
async def test_field_selectors(api: Api, namespace: str, selector: str, names: list[str]) -> None:
    await fill(api, 3)
    assert api.names("configmaps", namespace, field_selector=selector) == names
    assert api.names("configmaps", namespace, field_selector=selector, limit=5) == names


async def test_absent_namespace_is_an_empty_list(api: Api) -> None:
    assert api.names("configmaps", "nowhere") == []


@given(
    revision=st.integers(1, 2**62), after=st.from_regex(r"[a-z0-9]{1,20}(/[a-z0-9.-]{1,20}[a-z0-9])?", fullmatch=True)
)
def test_continue_tokens_survive_the_round_trip(revision: int, after: str) -> None:
    assert decode_continue(encode_continue(Continue(revision, after))) == (revision, after)


@pytest.mark.parametrize("start", ["../x\0", "a/../../b\0", "a//b\0"])
def test_continue_tokens_can_not_climb(start: str) -> None:
    token = base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": 1, "start": start}).encode())
    with pytest.raises(BadRequest):
        decode_continue(token.rstrip(b"=").decode())
