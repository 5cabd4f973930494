# ruff: noqa: E501  # messages are long
"""A request body of the wrong kind is refused in the words of the real API server."""

import pytest

from kcore.api.core_v1 import ConfigMap
from kcore.api.documents import Expected, decode_document
from kcore.api.errors import BadRequest
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.scheme import Scheme

SCHEME = Scheme()
CONFIG_MAP = Expected(ConfigMap, "", "v1")
HANDLED = 'in version "v1" cannot be handled as a ConfigMap: '
UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): "
JSON_ERROR = f"{UNRECOGNIZED}couldn't get version/kind; json parse error: "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"kind":"Secret","apiVersion":"v1"}', f"Secret {HANDLED}converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        (b'{"kind":"ConfigMapList","apiVersion":"v1"}', f"ConfigMapList {HANDLED}converting (v1.ConfigMapList) to (core.ConfigMap): unknown conversion"),
        (b'{"kind":"Teapot","apiVersion":"v1"}', f'Teapot {HANDLED}no kind "Teapot" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (b'{"kind":"ConfigMap","apiVersion":"apps/v1"}', f'ConfigMap {HANDLED}no kind "ConfigMap" is registered for version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (b'{"apiVersion":"a/b/c"}', f'{UNRECOGNIZED}unexpected GroupVersion string: a/b/c ({{"apiVersion":"a/b/c"}})'),
        (b'{"kind":5}', f'{JSON_ERROR}json: cannot unmarshal number into Go struct field .kind of type string ({{"kind":5}})'),
        (b"", f"{JSON_ERROR}unexpected end of JSON input (<empty>)"),
        (b"[]", JSON_ERROR + 'json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)'),
        (b'{"metadata":{"name":7}}', f"ConfigMap {HANDLED}json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string"),
        (b'{"metadata":{"name":"aaaaaaaaaaaaaaa"}} x', JSON_ERROR + "invalid character 'x' after top-level value ({\"metadata\":{\"name\":\"aaaaaaaaa ...)"),
    ],
)  # fmt: skip
def test_document_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        decode_document(body, CONFIG_MAP, SCHEME)
    assert error.value.message == message


def test_kind_may_be_left_out_and_is_not_kept() -> None:
    for body in (b'{"metadata":{"name":"a"}}', b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}'):
        config = decode_document(body, CONFIG_MAP, SCHEME)
        assert (config.kind, config.api_version, config.metadata.name) == ("", "", "a")


def test_null_is_an_empty_object() -> None:
    assert decode_document(b"null", CONFIG_MAP, SCHEME) == ConfigMap()


def test_field_validation_decides_what_becomes_of_unknown_fields() -> None:
    body = b'{"bogus":1}'
    warnings: list[str] = []
    decode_document(body, CONFIG_MAP, SCHEME, field_validation="Ignore", warnings=warnings)
    assert warnings == []
    decode_document(body, CONFIG_MAP, SCHEME, warnings=warnings)
    assert warnings == ['unknown field "bogus"']
    with pytest.raises(BadRequest, match='strict decoding error: unknown field "bogus"'):
        decode_document(body, CONFIG_MAP, SCHEME, field_validation="Strict")


def test_yaml_tells_repeated_keys_by_line() -> None:
    body = b'data:\n  a: "1"\n  a: "2"\nx: 1\n'
    warnings: list[str] = []
    config = decode_document(body, CONFIG_MAP, SCHEME, yaml=True, warnings=warnings)
    assert config.data == {"a": "2"}
    assert warnings == ['line 3: key "a" already set in map', 'unknown field "x"']
    with pytest.raises(BadRequest) as error:
        decode_document(body, CONFIG_MAP, SCHEME, yaml=True, field_validation="Strict")
    assert error.value.message == (
        f"ConfigMap {HANDLED}strict decoding error: yaml: unmarshal errors:\n"
        '  line 3: key "a" already set in map, unknown field "x"'
    )


def test_bad_yaml_is_unrecognized() -> None:
    with pytest.raises(BadRequest) as error:
        decode_document(b"a: [b", CONFIG_MAP, SCHEME, yaml=True)
    assert error.value.message == f"{UNRECOGNIZED}yaml: line 1: did not find expected ',' or ']' (613a205b62)"


@pytest.mark.parametrize("api_version", ["v1", "meta.k8s.io/v1", "policy/v1"])
def test_options_are_known_in_every_version(api_version: str) -> None:
    body = f'{{"kind":"DeleteOptions","apiVersion":"{api_version}","gracePeriodSeconds":5}}'.encode()
    assert decode_document(body, Expected(DeleteOptions, "", "v1"), SCHEME).grace_period_seconds == 5
