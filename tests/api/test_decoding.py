# ruff: noqa: E501  # messages are long
"""Documents decode as Go decodes them, and say in Go's words why they do not."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.apps_v1 import Deployment, ReplicaSet
from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import ConfigMap, Pod, Secret, Service
from kcore.api.decoding import Decoded, DecodeError, decode_json, decode_tree, decoder
from kcore.api.json_syntax import JSONSyntaxError, parse_json, plain
from kcore.api.schema import Struct


def decode(type_: type[Struct], document: Any) -> Decoded:
    return decode_json(type_, document if isinstance(document, bytes) else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("type_", "document", "message"),
    [
        (ConfigMap, {"metadata": "x"}, "string into Go struct field ConfigMap.metadata of type v1.ObjectMeta"),
        (ConfigMap, {"metadata": {"name": 7}}, "number into Go struct field ObjectMeta.metadata.name of type string"),
        (ConfigMap, {"data": []}, "array into Go struct field ConfigMap.data of type map[string]string"),
        (ConfigMap, {"data": {"a": 1}}, "number into Go struct field ConfigMap.data of type string"),
        (ConfigMap, {"immutable": "yes"}, "string into Go struct field ConfigMap.immutable of type bool"),
        (Pod, {"spec": {"containers": {}}}, "object into Go struct field PodSpec.spec.containers of type []v1.Container"),
        (Pod, {"spec": {"priority": 2**40}}, f"number {2**40} into Go struct field PodSpec.spec.priority of type int32"),
        (Pod, {"spec": {"priority": "1"}}, "string into Go struct field PodSpec.spec.priority of type int32"),
        (ReplicaSet, {"spec": {"replicas": 1.5}}, "number 1.5 into Go struct field ReplicaSetSpec.spec.replicas of type int32"),
        (
            Service,
            {"spec": {"ports": [{"targetPort": True}]}},
            "bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            ConfigMap,
            {"metadata": {"creationTimestamp": 5}},
            "number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (Secret, {"data": {"a": 1}}, "number into Go struct field Secret.data of type []uint8"),
        (Pod, {"spec": {"containers": [{"resources": {"limits": []}}]}},
         "array into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList"),
    ],
)  # fmt: skip
def test_value_of_wrong_type_is_named_with_its_place(type_: type[Struct], document: Any, message: str) -> None:
    with pytest.raises(DecodeError) as error:
        decode(type_, document)
    assert str(error.value) == f"json: cannot unmarshal {message}"


@pytest.mark.parametrize(
    ("type_", "document", "message"),
    [
        (Secret, {"data": {"a": "!"}}, "illegal base64 data at input byte 0"),
        (Secret, {"data": {"a": "YQ=a"}}, "illegal base64 data at input byte 2"),
        (Secret, {"data": {"a": "YWJjYQ="}}, "illegal base64 data at input byte 7"),
        (Secret, {"data": {"a": "YWJj\nYQ"}}, "illegal base64 data at input byte 5"),
        (Secret, {"data": {"a": "YQ"}}, "illegal base64 data at input byte 0"),
        (
            Pod,
            {"spec": {"overhead": {"cpu": "1x"}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (Pod, {"spec": {"overhead": {"cpu": "1mi"}}}, "unable to parse quantity's suffix"),
        (
            Lease,
            {"spec": {"renewTime": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (ConfigMap, b'{"data":', "unexpected end of JSON input"),
        (ConfigMap, b'{"data":{}} x', "invalid character 'x' after top-level value"),
        (ConfigMap, b'{"data":nul}', "invalid character '}' in literal null (expecting 'l')"),
    ],
)
def test_bad_scalar_is_explained_by_its_own_parser(type_: type[Struct], document: Any, message: str) -> None:
    with pytest.raises(DecodeError) as error:
        decode(type_, document)
    assert str(error.value) == message


def test_first_wrong_type_is_reported_unless_a_types_own_parser_fails() -> None:
    with pytest.raises(DecodeError, match=r"Go struct field ConfigMap\.data"):
        decode(ConfigMap, {"data": 1, "binaryData": 2})
    with pytest.raises(DecodeError, match="parsing time"):
        decode(ConfigMap, {"data": 1, "metadata": {"creationTimestamp": "now"}})


def test_null_is_absent() -> None:
    pod = decode(Pod, {"metadata": {"labels": None, "creationTimestamp": None}, "spec": {"containers": [None]}}).obj
    assert pod.metadata.labels == {}
    assert pod.metadata.creation_timestamp is None
    assert pod.spec.containers[0].name == ""


def test_null_in_a_map_is_the_zero_value() -> None:
    assert decode(ConfigMap, {"data": {"a": None}}).obj.data == {"a": ""}
    assert decode(Pod, {"spec": {"overhead": {"cpu": None}}}).obj.spec.overhead == {"cpu": "0"}


def test_scalars_are_written_canonically() -> None:
    pod = decode(
        Pod,
        {
            "metadata": {"creationTimestamp": "2024-01-01T02:00:00.5+02:00"},
            "spec": {"overhead": {"cpu": 0.5, "memory": "1024Mi"}},
        },
    ).obj
    assert pod.metadata.creation_timestamp == "2024-01-01T00:00:00Z"
    assert pod.spec.overhead == {"cpu": "500m", "memory": "1Gi"}
    assert decode(Secret, {"data": {"a": "YR==", "b": "Y\nQ==\r\n"}}).obj.data == {"a": "YQ==", "b": "YQ=="}


def test_unknown_and_repeated_fields_are_found_in_document_order() -> None:
    body = (
        b'{"metadata":{"name":"a","name":"b","bogus":1},"extra":{"x":[1]},'
        b'"spec":{"containers":[{"name":"a","ports":[{"containerPort":1,"containerPort":2,"prot":"UDP"}]}]}}'
    )
    pod, findings = decode(Pod, body)
    assert findings == (
        'duplicate field "metadata.name"',
        'unknown field "metadata.bogus"',
        'unknown field "extra"',
        'duplicate field "spec.containers[0].ports[0].containerPort"',
        'unknown field "spec.containers[0].ports[0].prot"',
    )
    assert pod.metadata.name == "b"
    assert pod.spec.containers[0].ports[0].container_port == 2


def test_repeated_maps_are_merged() -> None:
    config, findings = decode(ConfigMap, b'{"data":{"a":"1","a":"2"},"data":{"b":"3"},"metadata":{"name":"x"}}')
    assert config.data == {"a": "2", "b": "3"}
    assert findings == ('duplicate field "data.a"', 'duplicate field "data"')


def test_letter_case_matters() -> None:
    config, findings = decode(ConfigMap, {"Data": {"a": "b"}})
    assert config.data == {}
    assert findings == ('unknown field "Data"',)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"a":"1","a":"2"}}',
        b'{ "data" : { "a" : "1", "a" : "2" } }',
        b'{"data":{"\\u0061":"1","a":"2"}}',
        b'{"data":{"a":"\\u0022:","a":"\\u0022:"}}',
        b'{"data":{"k\\u0022:":"1","a":"1","a":"2"}}',
        '{"data":{"é":"1","\\u00e9":"2"}}'.encode(),
    ],
)
def test_repeated_keys_are_found_however_they_are_written(body: bytes) -> None:
    assert decode(ConfigMap, body).findings


@pytest.mark.parametrize("value", ['":', '\\":', 'a": "b', "é\u2028", "<>&"])
def test_text_that_looks_like_keys_is_none(value: str) -> None:
    for body in (json.dumps({"data": {"k": value}}), json.dumps({"data": {value: "v"}}, ensure_ascii=False)):
        assert decode(ConfigMap, body.encode()).findings == ()


def test_no_more_than_a_hundred_findings_are_kept() -> None:
    assert len(decode(ConfigMap, {f"f{i}": 1 for i in range(300)}).findings) == 100


def test_schemas_may_be_booleans_or_lists_where_upstream_allows_it() -> None:
    schema = decode(
        JSONSchemaProps, {"items": [{"type": "string"}], "additionalProperties": False, "default": {"a": 1.0}}
    ).obj
    assert schema.items[0].type == "string"
    assert schema.additional_properties is False
    assert schema.default == {"a": 1.0}


def test_lone_surrogates_and_bad_utf8_become_replacement_characters() -> None:
    assert decode(ConfigMap, b'{"data":{"a":"\\ud800x","b":"\xff"}}').obj.data == {"a": "\ufffdx", "b": "\ufffd"}


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_nesting_is_an_error_not_a_crash(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(ConfigMap, body)


def test_brackets_in_strings_nest_nothing() -> None:
    body = b'{"metadata":{"name":"x"},"data":{"a":"' + b'[{\\"' * 20_000 + b'"}}'
    assert decode(ConfigMap, body).obj.data["a"] == '[{"' * 20_000


def test_many_containers_side_by_side_are_not_deep() -> None:
    assert len(parse_json(b"[" + b"[]," * 20_000 + b"[]]")) == 20_001


def test_numbers_beyond_64_bits_become_floats() -> None:
    assert plain(parse_json(b"[1e2, 18446744073709551615, 18446744073709551616]")) == [100.0, 2**64 - 1, float(2**64)]
    with pytest.raises(JSONSyntaxError, match="cannot unmarshal number 1e999 into Go value of type float64"):
        plain(parse_json(b'{"a": [1e999]}'))


def test_stored_documents_decode_even_where_the_pattern_cannot_tell() -> None:
    stored = (
        b'{"metadata":{"name":"p"},"spec":{"containers":[],"overhead":{"memory":"107520Ki","cpu":"1.500"}},"status":{}}'
    )
    pod = decoder(Pod)(stored)
    assert pod.spec.overhead == {"memory": "105Mi", "cpu": "1.500"}


def test_tree_decodes_as_its_document_does() -> None:
    tree = {"metadata": {"name": "d"}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"nam": "x"}]}}}}
    assert decode_tree(Deployment, tree) == decode(Deployment, tree)


def trees() -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["metadata", "spec", "data", "name", "labels", "containers", "ports", "limits", "x", "kind"])
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5)
    )
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@given(trees())
def test_any_tree_decodes_or_is_refused(tree: Any) -> None:
    for type_ in (Pod, ConfigMap, Service):
        with suppress(DecodeError):
            obj = decode(type_, tree).obj
            again = decode_json(type_, msgspec.json.encode(obj))
            assert again == Decoded(obj)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0 1-e.truefalsn', max_size=30).map(str.encode))
def test_any_bytes_decode_or_are_refused_with_a_message(body: bytes) -> None:
    try:
        decode(ConfigMap, body)
    except DecodeError as e:
        message = str(e)
    else:
        message = "decoded"
    assert message
