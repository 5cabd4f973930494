# ruff: noqa: E501  # cases stay on one line
"""A patch request makes an object of the standing one, or says what is wrong with what it makes."""

import pytest

from kcore.api.apps_v1 import Deployment
from kcore.api.core_v1 import ConfigMap
from kcore.api.documents import Expected
from kcore.api.errors import BadRequest, Invalid
from kcore.api.scheme import Scheme
from kcore.registry.patching.patch import Patched, prepare
from kcore.registry.request import PatchType

SCHEME = Scheme()
CONFIG_MAP = Expected(ConfigMap, "", "v1")
STANDING = b'{"metadata":{"name":"c"},"data":{"a":"1"}}'


def patched(patch_type: PatchType, body: bytes, validation: str = "Warn") -> Patched:
    return prepare(patch_type, body, CONFIG_MAP, SCHEME, validation)(STANDING)


@pytest.mark.parametrize(
    ("patch_type", "body"),
    [
        (PatchType.JSON, b'[{"op":"add","path":"/data/b","value":"2"}]'),
        (PatchType.MERGE, b'{"data":{"b":"2"}}'),
        (PatchType.STRATEGIC, b'{"data":{"b":"2"}}'),
    ],
)
def test_patch_can_be_applied_again_and_again(patch_type: PatchType, body: bytes) -> None:
    apply = prepare(patch_type, body, CONFIG_MAP, SCHEME)
    assert apply(STANDING).obj.data == {"a": "1", "b": "2"}
    assert apply(b'{"metadata":{"name":"c"},"data":{"a":"9"}}').obj.data == {"a": "9", "b": "2"}
    assert apply(STANDING).obj.kind == ""


@pytest.mark.parametrize(
    ("patch_type", "body", "message"),
    [
        (PatchType.MERGE, b"[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (PatchType.MERGE, b"", "error decoding patch: unexpected end of JSON input"),
        (PatchType.STRATEGIC, b"[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (PatchType.STRATEGIC, b"x", "invalid character 'x' looking for beginning of value"),
    ],
)  # fmt: skip
def test_body_that_is_no_patch_is_refused(patch_type: PatchType, body: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        prepare(patch_type, body, CONFIG_MAP, SCHEME)
    assert error.value.message == message


@pytest.mark.parametrize(
    ("patch_type", "body", "shown", "why"),
    [
        (PatchType.MERGE, b'{"data":{"a":5}}', r'{\"apiVersion\":\"v1\",\"data\":{\"a\":5},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}',
         "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        (PatchType.MERGE, b'{"apiVersion":"v9"}', r'{\"apiVersion\":\"v9\",\"data\":{\"a\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}',
         'no kind "ConfigMap" is registered for version "v9" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (PatchType.MERGE, b'{"data":null,"kind":"Secret"}', r'{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"c\"}}',
         "converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        (PatchType.MERGE, b'{"data":{"a":"1","kind":"x"},"kind":"Secret"}', r'{\"apiVersion\":\"v1\",\"data\":{\"a\":\"1\",\"kind\":\"x\"},\"kind\":\"Secret\",\"metadata\":{\"name\":\"c\"}}',
         "illegal base64 data at input byte 0"),
        (PatchType.STRATEGIC, b'{"data":"text"}', "map[data:text]", "cannot restore map from string"),
        (PatchType.STRATEGIC, b'{"data":{"a":1}}', "map[data:map[a:1]]", "cannot convert int64 to string"),
        (PatchType.STRATEGIC, b'{"metadata":{"creationTimestamp":"now"}}', "map[metadata:map[creationTimestamp:now]]",
         'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"'),
    ],
)  # fmt: skip
def test_result_that_is_no_object_is_shown_with_the_reason(
    patch_type: PatchType, body: bytes, shown: str, why: str
) -> None:
    with pytest.raises(Invalid) as error:
        patched(patch_type, body)
    assert error.value.message == f' "" is invalid: patch: Invalid value: "{shown}": {why}'


def test_unknown_and_repeated_fields_are_warnings_or_errors() -> None:
    body = b'{"data":{"k":"1","k":"2"},"zzz":1,"metadata":{"foo":"bar"}}'
    found = ('duplicate field "data.k"', 'unknown field "metadata.foo"', 'unknown field "zzz"')
    assert patched(PatchType.STRATEGIC, body).warnings == found
    assert patched(PatchType.STRATEGIC, body, "Ignore").warnings == ()
    with pytest.raises(Invalid, match=", ".join(found)):
        patched(PatchType.STRATEGIC, body, "Strict")


def test_stored_quantities_survive_a_patch() -> None:
    standing = b'{"metadata":{"name":"d"},"spec":{"template":{"spec":{"containers":[],"overhead":{"memory":"107374182400m"}}}}}'
    apply = prepare(PatchType.MERGE, b'{"spec":{"replicas":2}}', Expected(Deployment, "apps", "v1"), SCHEME)
    assert apply(standing).obj.spec.template.spec.overhead == {"memory": "107374182400m"}
