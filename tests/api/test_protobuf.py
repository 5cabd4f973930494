"""Bodies in Kubernetes' protobuf: the tree that comes out is the one that the JSON of the object would give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.protobuf import MAGIC, ProtobufError, decode_protobuf, encode_status


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def document(api_version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


NAME = field(1, field(1, "x"))  # metadata.name


@pytest.mark.parametrize(
    ("api_version", "kind", "raw", "rest"),
    [
        ("v1", "ConfigMap", field(2, field(1, "a") + field(2, "b")), {"data": {"a": "b"}}),
        ("v1", "ConfigMap", field(2, field(1, "a")), {"data": {"a": ""}}),
        ("v1", "Secret", field(2, field(1, "a") + field(2, b"\xff")), {"data": {"a": "/w=="}}),
        ("v1", "Pod", field(2, field(4, -1)), {"spec": {"terminationGracePeriodSeconds": -1}}),
        ("v1", "Pod", field(2, field(11, 1)), {"spec": {"hostNetwork": True}}),
        (
            "v1",
            "Pod",
            field(2, field(1, field(1, "v") + field(2, field(2, b"")))),
            {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
        ),
        (
            "v1",
            "Pod",
            field(2, field(2, field(8, field(1, field(1, "cpu") + field(2, field(1, "100m")))))),
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "100m"}}}]}},
        ),
        (
            "v1",
            "Service",
            field(
                2, field(1, field(4, field(1, 0) + field(2, 8080))) + field(1, field(4, field(1, 1) + field(3, "web")))
            ),
            {"spec": {"ports": [{"targetPort": 8080}, {"targetPort": "web"}]}},
        ),
        ("apps/v1", "Deployment", field(2, field(1, 3)), {"spec": {"replicas": 3}}),
        ("apps/v1", "ControllerRevision", field(2, field(1, b'{"a":1}')), {"data": {"a": 1}}),
        ("v1", "Event", field(6, field(1, 1_700_000_000)), {"firstTimestamp": "2023-11-14T22:13:20Z"}),
        ("v1", "Event", field(6, b""), {"firstTimestamp": None}),
    ],
)
def test_fields_take_their_json_form(api_version: str, kind: str, raw: bytes, rest: dict[str, object]) -> None:
    tree = decode_protobuf(document(api_version, kind, NAME + raw))
    assert tree == {"kind": kind, "apiVersion": api_version, "metadata": {"name": "x"}, **rest}


def test_delete_options_come_under_the_group_of_the_resource() -> None:
    tree = decode_protobuf(document("apps/v1", "DeleteOptions", field(1, 0) + field(4, "Foreground")))
    assert tree["gracePeriodSeconds"] == 0
    assert tree["propagationPolicy"] == "Foreground"


def test_fields_of_a_newer_client_are_passed_over() -> None:
    assert "x" not in decode_protobuf(document("v1", "ConfigMap", field(1999, "x")))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"kind":"Pod"}', "does not appear to be a protobuf message"),
        (document("v1", "Teapot", b""), 'no kind "Teapot" is registered'),
        (document("v1", "Pod", field(1, NAME)[:-1]), "unexpected EOF"),
        (document("v1", "Pod", field(1, 7)), "wrong wire type"),
        (document("v1", "ConfigMap", field(1, field(1, b"\xff"))), "invalid UTF-8"),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ProtobufError, match=why):
        decode_protobuf(body)


@given(st.sampled_from(["Pod", "Service", "Event", "Node"]), st.binary(max_size=200))
def test_no_bytes_do_worse_than_an_error(kind: str, raw: bytes) -> None:
    try:
        decode_protobuf(document("v1", kind, raw))
    except ProtobufError:
        return


def test_nesting_is_bounded() -> None:
    raw = b""
    for _ in range(5000):
        raw = field(1, raw)
    with pytest.raises(ProtobufError):
        decode_protobuf(MAGIC + raw)


def test_a_status_comes_back_as_it_was_written() -> None:
    status = {
        "metadata": {},
        "status": "Failure",
        "message": "it is wrong: é",
        "reason": "Invalid",
        "details": {
            "name": "x",
            "kind": "Thing",
            "causes": [{"reason": "A", "message": "B", "field": "c"}, {"reason": "D"}],
            "retryAfterSeconds": 300,
        },
        "code": 422,
    }
    assert decode_protobuf(encode_status(status)) == {"kind": "Status", "apiVersion": "v1", **status}
