"""Requests and answers over a real socket."""

from __future__ import annotations

import gzip
import re

import pytest
import yaml

from tests.server.serving import CONFIGMAPS, configmap, serving

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
NOT_FOUND = "the server could not find the requested resource"
NOT_ALLOWED = "the server does not allow this method on the requested resource"

POD_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def test_object_lives_from_create_to_delete() -> None:
    async with serving() as door:
        created = await door.create("a")
        assert (created["kind"], created["apiVersion"]) == ("ConfigMap", "v1")
        created["data"] = {"x": "y"}
        updated = await door.ask("PUT", f"{CONFIGMAPS}/a", created)
        assert updated.json["data"] == {"x": "y"}
        patched = await door.ask(
            "PATCH", f"{CONFIGMAPS}/a", {"data": {"x": None}}, Content_Type="application/merge-patch+json"
        )
        assert "data" not in patched.json
        assert (await door.ask("GET", f"{CONFIGMAPS}/a")).json == patched.json
        deleted = await door.ask("DELETE", f"{CONFIGMAPS}/a")
        assert (deleted.code, deleted.json["status"]) == (200, "Success")
        assert (await door.ask("GET", f"{CONFIGMAPS}/a")).code == 404


async def test_list_leaves_out_what_its_own_kind_says() -> None:
    async with serving() as door:
        await door.create("a", app="x")
        await door.create("b")
        listed = (await door.ask("GET", f"{CONFIGMAPS}?labelSelector=app%3Dx")).json
        assert listed["kind"] == "ConfigMapList"
        assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
        assert "kind" not in listed["items"][0]


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", "/api/v1/namespaces/default/teapots", 404, NOT_FOUND),
        ("GET", "/api/v1/namespaces/default/nodes", 404, NOT_FOUND),
        ("GET", "/apis/apps/v1/deployments/x", 404, NOT_FOUND),
        ("GET", "/apis/apps/v9/deployments", 404, NOT_FOUND),
        ("GET", f"{CONFIGMAPS}/x/status", 404, NOT_FOUND),
        ("GET", f"{CONFIGMAPS}/x", 404, 'configmaps "x" not found'),
        ("POST", f"{CONFIGMAPS}/x", 405, NOT_ALLOWED),
        ("PUT", CONFIGMAPS, 405, NOT_ALLOWED),
        ("PATCH", CONFIGMAPS, 405, NOT_ALLOWED),
        ("DELETE", "/api/v1/pods", 405, NOT_ALLOWED),
        ("OPTIONS", CONFIGMAPS, 405, NOT_ALLOWED),
        ("BREW", CONFIGMAPS, 405, NOT_ALLOWED),
        ("PUT", "/api/v1/namespaces/default/pods/x/binding", 405, NOT_ALLOWED),
        ("GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews", 405, NOT_ALLOWED),
    ],
)
async def test_wrong_addresses_get_the_status_upstream_gives(method: str, path: str, code: int, message: str) -> None:
    async with serving() as door:
        answer = await door.ask(method, path)
        assert (answer.code, answer.json["message"]) == (code, message)
        assert (answer.json["kind"], answer.json["status"], answer.json["code"]) == ("Status", "Failure", code)


@pytest.mark.parametrize("path", ["/nothing/here", "/apis/none.example.com", "/apis/none.example.com/v1/things"])
async def test_path_outside_every_group_is_no_page(path: str) -> None:
    async with serving() as door:
        answer = await door.ask("GET", path)
        assert (answer.code, answer.body) == (404, b"404 page not found\n")


async def test_body_beyond_three_mebibytes_is_too_large() -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, b" " * (3 * 1024 * 1024 + 1))
        assert (answer.code, answer.json["message"]) == (413, "Request entity too large: limit is 3145728")


@pytest.mark.parametrize(("content_type", "code"), [("text/plain", 415), ("application/yaml", 201)])
async def test_content_type_decides_how_a_body_is_read(content_type: str, code: int) -> None:
    async with serving() as door:
        body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: whole}\n"
        assert (await door.ask("POST", CONFIGMAPS, body, Content_Type=content_type)).code == code


async def test_patch_needs_a_patch_type() -> None:
    async with serving() as door:
        answer = await door.ask("PATCH", f"{CONFIGMAPS}/a", {})
        assert (answer.code, answer.json["message"]) == (415, "415: Unsupported Media Type")


async def test_errors_come_in_yaml_too() -> None:
    async with serving() as door:
        answer = await door.ask("GET", f"{CONFIGMAPS}/none", Accept="application/yaml")
        assert answer.headers["Content-Type"] == "application/yaml"
        assert yaml.safe_load(answer.body)["reason"] == "NotFound"


async def test_table_has_rows_and_their_objects_as_asked() -> None:
    async with serving() as door:
        await door.create("a")
        table = (await door.ask("GET", CONFIGMAPS, Accept=TABLE)).json
        assert table["columnDefinitions"][0]["name"] == "Name"
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        bare = (await door.ask("GET", f"{CONFIGMAPS}?includeObject=None", Accept=TABLE)).json
        assert bare["rows"][0]["object"] is None
        whole = (await door.ask("GET", f"{CONFIGMAPS}/a?includeObject=Object", Accept=TABLE)).json
        assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
        wrong = await door.ask("GET", f"{CONFIGMAPS}?includeObject=Everything", Accept=TABLE)
        assert wrong.code == 400


async def test_scale_can_be_a_table() -> None:
    async with serving() as door:
        controller = {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": {"name": "r"},
            "spec": {"replicas": 0, "selector": {"a": "b"}, "template": POD_TEMPLATE},
        }
        controllers = "/api/v1/namespaces/default/replicationcontrollers"
        assert (await door.ask("POST", controllers, controller)).code == 201
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        answer = await door.ask("GET", f"{controllers}/r/scale", Accept=accept)
        assert [c["name"] for c in answer.json["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
        assert answer.json["rows"][0]["cells"][:3] == ["r", 0, 0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        (b'{"kind":"Pod","apiVersion":"v1"}', 'no kind "Pod" is registered for version "v1" in scheme '),
    ],
)
async def test_deletions_are_told_what_is_wrong_with_their_options(body: bytes, message: str) -> None:
    async with serving() as door:
        await door.create("a")
        answer = await door.ask("DELETE", f"{CONFIGMAPS}/a", body)
        assert (answer.code, answer.json["message"][: len(message)]) == (400, message)


async def test_one_object_is_no_list_of_partial_metadata() -> None:
    async with serving() as door:
        await door.create("a")
        wanted = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        answer = await door.ask("GET", f"{CONFIGMAPS}/a", Accept=wanted)
        assert answer.code == 406
        assert "the requested object is not a list (*core.ConfigMap)" in answer.json["message"]


async def test_people_get_indentation_and_programs_do_not() -> None:
    async with serving() as door:
        await door.create("a")
        assert b"\n  " in (await door.ask("GET", f"{CONFIGMAPS}/a", User_Agent="curl/8.0")).body
        assert b"\n  " not in (await door.ask("GET", f"{CONFIGMAPS}/a", User_Agent="kubectl/v1.32")).body
        assert b"\n  " not in (await door.ask("GET", f"{CONFIGMAPS}/a?pretty=false", User_Agent="curl/8.0")).body


async def test_large_answers_are_gzipped_for_who_takes_them_so() -> None:
    async with serving() as door:
        big = configmap("big") | {"data": {"x": "y" * 200_000}}
        await door.ask("POST", CONFIGMAPS, big)
        door.session._auto_decompress = False
        answer = await door.ask("GET", f"{CONFIGMAPS}/big", Accept_Encoding="gzip")
        assert answer.headers["Content-Encoding"] == "gzip"
        plain = await door.ask("GET", f"{CONFIGMAPS}/big", Accept_Encoding="identity")
        assert "Content-Encoding" not in plain.headers
        assert gzip.decompress(answer.body) == plain.body


async def test_every_answer_can_be_found_again_in_an_audit() -> None:
    async with serving() as door:
        first = await door.ask("GET", CONFIGMAPS)
        second = await door.ask("GET", CONFIGMAPS)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.headers["Audit-Id"])
        assert first.headers["Audit-Id"] != second.headers["Audit-Id"]
        assert first.headers["Cache-Control"] == "no-cache, private"
        given = await door.ask("GET", CONFIGMAPS, Audit_Id="mine")
        assert given.headers["Audit-Id"] == "mine"


async def test_warnings_travel_in_headers() -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, configmap("w") | {"dta": {}})
        assert answer.code == 201
        assert answer.headers["Warning"] == '299 - "unknown field \\"dta\\""'


async def test_warnings_are_cut_where_a_head_would_be_too_long() -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, configmap("w") | {"x" * 300 + str(i): {} for i in range(50)})
        assert answer.code == 201
        told = answer.headers.getall("Warning")
        assert len(told) == 16
        assert {len(each) for each in told} == {len('299 - ""') + len("\\") + 256}


async def test_warnings_come_with_errors_too() -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, configmap("Not A Name") | {"dta": {}})
        assert answer.code == 422
        assert answer.headers["Warning"] == '299 - "unknown field \\"dta\\""'


async def test_deprecated_kinds_say_so_with_every_answer() -> None:
    async with serving() as door:
        answer = await door.ask("GET", "/api/v1/componentstatuses/none")
        assert answer.code == 404
        assert answer.headers["Warning"] == '299 - "v1 ComponentStatus is deprecated in v1.19+"'


async def test_requests_are_counted() -> None:
    async with serving() as door:
        await door.ask("GET", f"{CONFIGMAPS}/none")
        text = (await door.ask("GET", "/metrics")).body.decode()
        counted = next(line for line in text.splitlines() if line.startswith("apiserver_request_total{"))
        assert 'code="404"' in counted
        assert 'verb="GET"' in counted
        assert counted.endswith(" 1.0")
        assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 0.0' in text
